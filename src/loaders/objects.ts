import { type Member, membersOf } from '../core/members.ts';
import type { JsonRecord } from '../core/ndjson.ts';
import { attribute, runOf } from '../core/task.ts';
import type { Loaded, Shape } from './loader.ts';

/** A JSON object as a loader reads it. What is not changed keeps its bytes. */
export class JsonLoaded implements Loaded {
  readonly line: number;
  readonly wasTask: boolean;
  readonly #record: JsonRecord;
  readonly #shape: Shape;
  /** The keys that an executor added: not attributes. */
  readonly #ours: ReadonlySet<string>;
  /** Its members, once they were asked for; and the last of each name: to search them for each would take forever. */
  #all: readonly Member[] | undefined;
  #byName: ReadonlyMap<string, Member> | undefined;

  constructor(record: JsonRecord, shape: Shape) {
    const run = runOf(record.fields);
    this.line = record.line;
    this.wasTask = run !== undefined;
    this.#record = record;
    this.#shape = shape;
    this.#ours = run === undefined ? PLAIN : oursOf(run.as);
  }

  /** An attribute of the user's that would be lost. */
  get fault(): string | undefined {
    const { fields } = this.#record;
    if (!this.wasTask) {
      const own = ['run', 'result'].find(
        (name) => Object.hasOwn(fields, name) && !this.#shape.rename.has(name),
      );
      if (own !== undefined)
        return `it has a ${JSON.stringify(own)}, which is a task's own; give it another name with --rename ${own}=old_${own}`;
    }
    for (const [from, to] of this.#shape.rename) {
      if (!Object.hasOwn(fields, from) || !Object.hasOwn(fields, to) || this.#shape.rename.has(to)) continue;
      return `--rename ${from}=${to} would put two attributes under one name`;
    }
    return undefined;
  }

  get source(): string {
    return this.#record.text;
  }

  get uuid(): unknown {
    return this.#value('uuid');
  }

  text(name: string): string | undefined {
    const value = this.#value(name);
    if (value === undefined || typeof value === 'string') return value;
    this.#byName ??= new Map(this.#members().map((member) => [this.#renamed(member.key), member]));
    const member = this.#byName.get(name);
    return member === undefined ? undefined : this.#record.text.slice(member.value, member.end);
  }

  texts(): readonly string[] {
    const names = this.#members().map(({ key }) => this.#renamed(key));
    return names
      .filter((name) => name !== 'uuid' && !this.#ours.has(name))
      .map((name) => this.text(name) as string);
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
    const kept = new Map<string, string>();
    for (const { key, value, end } of this.#members()) {
      const name = this.#renamed(key);
      if (name !== 'uuid' && !this.#ours.has(key)) kept.set(name, text.slice(value, end));
    }
    const names = select === undefined ? [...kept.keys()] : select.filter((name) => kept.has(name));
    return `${[first, ...names.map((name) => `${JSON.stringify(name)}:${kept.get(name)}`)].join(',')}}`;
  }

  #members(): readonly Member[] {
    this.#all ??= membersOf(this.#record.text);
    return this.#all;
  }

  #renamed(key: string): string {
    return this.#shape.rename.get(key) ?? key;
  }

  #value(name: string): unknown {
    const { fields } = this.#record;
    for (const [from, to] of this.#shape.rename)
      if (to === name && Object.hasOwn(fields, from)) return fields[from];
    return this.#shape.rename.has(name) ? undefined : attribute(fields, name);
  }
}

const PLAIN: ReadonlySet<string> = new Set();

/** @param as the key of the result, whatever the record says of it */
function oursOf(as: unknown): ReadonlySet<string> {
  return new Set(['run', 'result', ...(typeof as === 'string' && as !== 'uuid' ? [as] : [])]);
}

function hasOurs(fields: JsonRecord['fields'], ours: ReadonlySet<string>): boolean {
  for (const name of ours) if (Object.hasOwn(fields, name)) return true;
  return false;
}
