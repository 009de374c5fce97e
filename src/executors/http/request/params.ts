import { jsonFault } from '../../../core/base/errors.ts';
import { InvalidValue } from '../../../core/options/option.ts';
import { membersOf, skipValue } from '../../../core/record/json-text.ts';
import { attribute, type Task } from '../../../core/record/task.ts';
import { rawMember } from '../../../core/record/template.ts';

/** Attribute that may be an object or, in CSV cells, text. */
export type Given =
  | { readonly kind: 'object'; readonly raw: string }
  | { readonly kind: 'value'; readonly raw: string }
  | { readonly kind: 'text'; readonly text: string };

/**
 * Returns an attribute with its JSON text from the record, so that digits stay; undefined if it is missing,
 * null or empty.
 */
export function given(task: Task, name: string): Given | undefined {
  const value = attribute(task.fields, name);
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value === 'string') return { kind: 'text', text: value };
  const raw = rawMember(task.line, name) as string;
  return { kind: typeof value === 'object' && !Array.isArray(value) ? 'object' : 'value', raw };
}

/**
 * Returns text that is a JSON object; undefined if it does not begin like one.
 * @throws {InvalidValue} if it is invalid
 */
export function objectText(text: string): string | undefined {
  const trimmed = text.trim();
  if (!trimmed.startsWith('{')) return undefined;
  try {
    JSON.parse(trimmed);
  } catch (error) {
    throw new InvalidValue(`is not valid JSON: ${jsonFault(error)}`);
  }
  return trimmed;
}

/** Returns whether text looks like `a=1&b=2`. */
export function isForm(text: string): boolean {
  // Two expressions: a single one with a repeated group would fail for millions of fields.
  return /^[^\s=&]+=/.test(text) && !/\s|&(?![^\s=&]+=)/.test(text);
}

/**
 * Returns the members of a JSON object as names and values: strings without quotes, numbers with their digits,
 * nested values as JSON text. An array gives a pair for each item, null gives none.
 * @throws {InvalidValue} if they cannot be sent
 */
export function pairsOf(raw: string): [name: string, value: string][] {
  return membersOf(raw).flatMap(({ key, value, end }) => {
    const text = raw.slice(value, end);
    const items = text.startsWith('[') ? itemsOf(text) : [text];
    return items
      .filter((item) => item !== 'null')
      .map((item): [string, string] => [wellFormed(key), wellFormed(plain(item))]);
  });
}

/**
 * Checks that text can be sent: half a surrogate pair would go out as another character.
 * @throws {InvalidValue}
 */
export function wellFormed(text: string): string {
  if (text.isWellFormed()) return text;
  throw new InvalidValue('must not contain half a surrogate pair');
}

/** Returns a JSON object as `a=1&b=2`. @throws {InvalidValue} as `pairsOf` does */
export function formOf(raw: string): string {
  return new URLSearchParams(pairsOf(raw)).toString();
}

function plain(raw: string): string {
  return raw.startsWith('"') ? (JSON.parse(raw) as string) : raw;
}

/** Returns the items of a JSON array as text. */
function itemsOf(raw: string): string[] {
  const items: string[] = [];
  let i = 1;
  for (;;) {
    while (/[\s,]/.test(raw.charAt(i))) i++;
    if (raw.charAt(i) === ']') return items;
    const end = skipValue(raw, i);
    items.push(raw.slice(i, end));
    i = end;
  }
}
