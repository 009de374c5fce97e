import { canonicalMembers, canonicalObject } from '../../core/record/canonical-json.ts';
import { checksumOf } from '../../core/record/checksum.ts';
import { recordChecker, stringFinder } from '../../core/record/json-grammar.ts';
import { lengthsOf, sumOfMembers } from '../../core/record/member-sum.ts';
import { parseRecord } from '../../core/record/ndjson.ts';
import type { Fields } from '../../core/record/task.ts';
import type { Loaded, Reshape } from '../contract.ts';
import { JsonLoaded } from './json-records.ts';

/*
 * Fast path of NDJSON with uuids from one attribute or all, without `--select` and `--rename`. It does not parse the
 * records. The benchmark row `load-nested` justifies it.
 */

/** Names in records that were tasks before, or that are invalid; and names that may be spellings of these. */
const NOT_FRESH = /"(?:uuid|run|result)"|\\u/;
const PLAIN_NAME = /^\w+$/;

/** Returns whether a name stands for an attribute of fresh records, which is not a path and has one spelling in practice. */
export function isFreshName(name: string): boolean {
  return PLAIN_NAME.test(name) && !NOT_FRESH.test(`"${name}"`);
}

/**
 * Returns a function that reads a fresh record, and returns undefined for one that must be parsed. Returns undefined
 * if no record can be read this way.
 * @param patience number of records that are parsed first
 */
export function freshReader(
  shape: Reshape,
  patience?: number,
): ((text: string, line: number) => FreshRecord | undefined) | undefined {
  const { uuidFields, select, rename } = shape;
  const [name] = uuidFields;
  if (select !== undefined || rename.size > 0 || uuidFields.length > 1) return undefined;
  if (name !== undefined && !isFreshName(name)) return undefined;
  const find = name === undefined ? undefined : stringFinder(name, patience);
  const check = recordChecker(patience);
  return (text, line) => {
    if (NOT_FRESH.test(text)) return undefined;
    const value = find?.(text);
    const isValid = find === undefined ? check(text) : value !== undefined;
    return isValid ? new FreshRecord(text, line, value, shape) : undefined;
  };
}

/** A record that was not a task before. */
export class FreshRecord implements Loaded {
  readonly line: number;
  readonly source: string;
  readonly uuid = undefined;
  readonly fault = undefined;
  readonly hasRun = false;
  readonly #value: string | undefined;
  readonly #shape: Reshape;
  #parsed: JsonLoaded | undefined;

  /** @param value value of the attribute from which the uuid is made; undefined if it is made from all of them */
  constructor(text: string, line: number, value: string | undefined, shape: Reshape) {
    this.source = text;
    this.line = line;
    this.#value = value;
    this.#shape = shape;
  }

  text(name: string): string | undefined {
    return name === this.#shape.uuidFields[0] ? this.#value : this.#full().text(name);
  }

  isMissing(name: string): boolean {
    return this.#full().isMissing(name);
  }

  isMadeOf(): boolean {
    return false;
  }

  canonical(): string {
    return canonicalObject(canonicalMembers(this.source));
  }

  checksum(): number {
    const { uuidFields } = this.#shape;
    return checksumOf(
      sumOfMembers(this.source, lengthsOf(uuidFields), (name, isText) => isText && uuidFields.includes(name)),
    );
  }

  toLine(uuid: string): string {
    return `{"uuid":${JSON.stringify(uuid)},${this.source.slice(1)}`;
  }

  #full(): JsonLoaded {
    const { source: text, line } = this;
    this.#parsed ??= new JsonLoaded(
      { ...(parseRecord(text) as { text: string; fields: Fields }), line },
      this.#shape,
    );
    return this.#parsed;
  }
}
