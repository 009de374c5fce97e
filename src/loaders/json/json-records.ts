import { canonicalMembers, canonicalObject } from '../../core/record/canonical-json.ts';
import { checksumOf, hashMember, hashText, hashValue } from '../../core/record/checksum.ts';
import { type Member, membersOf } from '../../core/record/json-text.ts';
import { lengthsOf, sumOfMembers } from '../../core/record/member-sum.ts';
import type { JsonRecord } from '../../core/record/ndjson.ts';
import { findNames, rawAt, valueAt } from '../../core/record/nested-path.ts';
import { attribute, type Fields, runOf } from '../../core/record/task.ts';
import { base64Name, base64Text } from '../../core/text/byte-text.ts';
import type { Loaded, Reshape } from '../contract.ts';
import { lift } from './lift.ts';
import { Selection } from './selection.ts';

/** A JSON object as a loader reads it. Unchanged attributes keep their bytes. */
export class JsonLoaded implements Loaded {
  readonly line: number;
  readonly source: string;
  readonly fault: string | undefined;
  readonly hasRun: boolean;
  /** Record as it was read. */
  readonly #read: Fields;
  /** Record with nested attributes that `--rename` names moved to its top. */
  readonly #record: JsonRecord;
  readonly #shape: Reshape;
  /** Keys that an executor added. They are not attributes, except those that `--rename` names. */
  readonly #ours: ReadonlySet<string>;
  /** Record with its new names, made when it is first needed. */
  #fields: Fields | undefined;
  #all: readonly Member[] | undefined;
  /** Raw values by new name. Searching the text for each would be too slow in a record of many members. */
  #raw: ReadonlyMap<string, string> | undefined;

  constructor(record: JsonRecord, shape: Reshape) {
    const run = runOf(record.fields);
    this.line = record.line;
    this.source = record.text;
    this.hasRun = run !== undefined;
    this.fault = faultOf(record.fields, shape.rename, this.hasRun);
    this.#read = record.fields;
    this.#record = this.fault === undefined ? lift(record, shape.rename) : record;
    this.#shape = shape;
    this.#ours = run === undefined ? PLAIN : withoutRenamed(oursOf(run.as), shape.rename);
  }

  get uuid(): unknown {
    return attribute(this.#renamed(), 'uuid');
  }

  text(name: string): string | undefined {
    const names = findNames(this.#renamed(), name);
    const bytes = names === undefined ? base64Text(this.#renamed(), name) : undefined;
    if (names === undefined) return bytes;
    const value = valueAt(this.#renamed(), names);
    return typeof value === 'string' ? value : this.#rawAt(names);
  }

  isMissing(name: string): boolean {
    const names = findNames(this.#renamed(), name);
    const value = names && valueAt(this.#renamed(), names);
    const isEmpty = value === undefined || value === null || value === '';
    return isEmpty && base64Text(this.#renamed(), name) === undefined;
  }

  isMadeOf(names: readonly string[]): boolean {
    if (!this.hasRun) return false;
    const ours = oursOf(runOf(this.#read)?.as);
    return names.some((name) => {
      const old = [...this.#shape.rename].find(([, to]) => to === name)?.[0] ?? name;
      return ours.has(findNames(this.#read, old)?.[0] as string);
    });
  }

  canonical(): string {
    return canonicalObject(this.#canonicalMembers());
  }

  checksum(): number {
    const { text } = this.#record;
    const { select, uuidFields, rename } = this.#shape;
    if (select === undefined && rename.size === 0) {
      const lengths = UUID_LENGTH | lengthsOf(uuidFields) | lengthsOf(this.#ours);
      const isLeftOut = (name: string, isText: boolean): boolean =>
        !this.#isAttribute(name) || (isText && uuidFields.includes(name));
      return checksumOf(sumOfMembers(text, lengths, isLeftOut));
    }
    const hasEscapes = text.includes('\\');
    let sum = 0;
    const add = (name: string, json: string, from: number, to: number): void => {
      if (json.charCodeAt(from) === QUOTE && uuidFields.includes(name)) return;
      sum += hashMember(hashText(name), hashValue(json, from, to, hasEscapes));
    };
    if (select === undefined) {
      for (const { key, value, end } of this.#members()) {
        const name = this.#newName(key);
        if (this.#isAttribute(name)) add(name, text, value, end);
      }
    } else {
      for (const [name, names] of this.#selected(select)) {
        const raw = this.#rawAt(names);
        add(name, raw, 0, raw.length);
      }
    }
    return checksumOf(sum);
  }

  toLine(uuid: string): string {
    const { text, fields } = this.#record;
    const { rename, select } = this.#shape;
    const hasOwn = Object.hasOwn(fields, 'uuid');
    const isClean = rename.size === 0 && select === undefined && !hasOurs(fields, this.#ours);
    if (isClean && hasOwn && fields.uuid === uuid) return text;
    const first = `{"uuid":${JSON.stringify(uuid)}`;
    if (isClean && !hasOwn) {
      const rest = text.slice(1).trimStart();
      return rest === '}' ? `${first}}` : `${first},${rest}`;
    }
    return `${[first, ...this.#keptMembers()].join(',')}}`;
  }

  /** Returns the members of the task except its uuid, as JSON text. */
  #keptMembers(): readonly string[] {
    const { select } = this.#shape;
    const selection = new Selection();
    if (select === undefined) {
      for (const [name, raw] of this.#rawMembers()) if (this.#isAttribute(name)) selection.add([name], raw);
    } else for (const [, names] of this.#selected(select)) selection.add(names, this.#rawAt(names));
    return selection.members();
  }

  /**
   * Returns the selected attributes that exist. Includes the result of an earlier run, but not `run`, which would
   * count as a new run.
   */
  #selected(select: readonly string[]): (readonly [name: string, names: readonly string[]])[] {
    return select.flatMap((name) => {
      const own = findNames(this.#renamed(), name);
      const names = own ?? findNames(this.#renamed(), base64Name(name));
      const isKept = names !== undefined && names[0] !== 'uuid' && names[0] !== 'run';
      return isKept ? [[own === undefined ? base64Name(name) : name, names] as const] : [];
    });
  }

  #canonicalMembers(): ReadonlyMap<string, string> {
    const read = canonicalMembers(this.#record.text);
    if (this.#shape.rename.size === 0) {
      read.delete('uuid');
      for (const name of this.#ours) read.delete(name);
      return read;
    }
    const members = new Map<string, string>();
    for (const [key, json] of read) {
      const name = this.#newName(key);
      if (this.#isAttribute(name)) members.set(name, json);
    }
    return members;
  }

  #isAttribute(name: string): boolean {
    return name !== 'uuid' && !this.#ours.has(name);
  }

  #rawAt([name, ...inner]: readonly string[]): string {
    return rawAt(this.#rawMembers().get(name as string) as string, inner);
  }

  #members(): readonly Member[] {
    this.#all ??= membersOf(this.#record.text);
    return this.#all;
  }

  #rawMembers(): ReadonlyMap<string, string> {
    const { text } = this.#record;
    this.#raw ??= new Map(
      this.#members().map(({ key, value, end }) => [this.#newName(key), text.slice(value, end)]),
    );
    return this.#raw;
  }

  #renamed(): Fields {
    const { fields } = this.#record;
    if (this.#shape.rename.size === 0) return fields;
    this.#fields ??= Object.fromEntries(
      Object.entries(fields).map(([key, value]) => [this.#newName(key), value]),
    );
    return this.#fields;
  }

  #newName(key: string): string {
    const { rename } = this.#shape;
    return rename.size === 0 ? key : (rename.get(key) ?? key);
  }
}

/** Returns the reason a record cannot become a task: an attribute of the user would be lost. */
function faultOf(fields: Fields, rename: ReadonlyMap<string, string>, hasRun: boolean): string | undefined {
  if (!hasRun) {
    const own = OWN.find((name) => Object.hasOwn(fields, name) && !rename.has(name));
    if (own !== undefined)
      return `the attribute ${JSON.stringify(own)} is reserved for taskpipe; rename it with --rename ${own}=old_${own}`;
  }
  if (rename.size === 0) return undefined;
  const taken = new Set<string>();
  for (const [from, to] of rename) {
    if (findNames(fields, from) === undefined) continue;
    if (taken.has(to) || (Object.hasOwn(fields, to) && !rename.has(to)))
      return `--rename ${from}=${to} would put two attributes under one name`;
    taken.add(to);
  }
  return undefined;
}

const QUOTE = 34;
const OWN = ['run', 'result'];
const UUID_LENGTH = lengthsOf(['uuid']);
const PLAIN: ReadonlySet<string> = new Set();

/** Returns the keys that an executor adds. @param as key of the result in the record; may be any value */
function oursOf(as: unknown): ReadonlySet<string> {
  return new Set([...OWN, ...(typeof as === 'string' && as !== 'uuid' ? [as] : [])]);
}

function withoutRenamed(ours: ReadonlySet<string>, rename: ReadonlyMap<string, string>): ReadonlySet<string> {
  return rename.size === 0 ? ours : new Set([...ours].filter((name) => !rename.has(name)));
}

function hasOurs(fields: Fields, ours: ReadonlySet<string>): boolean {
  for (const name of ours) if (Object.hasOwn(fields, name)) return true;
  return false;
}
