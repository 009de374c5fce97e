import { membersOf, withoutMembers } from '../../core/record/json-text.ts';
import type { JsonRecord } from '../../core/record/ndjson.ts';
import { findNames, rawAt } from '../../core/record/nested-path.ts';

/**
 * Moves nested attributes to the top of a record if `--rename` names them by path, as in
 * `result.json.sku=sku`. Each one is removed from its object and becomes the last attribute, under its new
 * name.
 */
export function lift(record: JsonRecord, rename: ReadonlyMap<string, string>): JsonRecord {
  let { text } = record;
  for (const [from, to] of rename) {
    if (!from.includes('.') || Object.hasOwn(record.fields, from)) continue;
    const names = findNames(record.fields, from);
    if (names === undefined) continue;
    const open = withoutNested(text, names).slice(0, -1).trimEnd();
    text = `${open}${open === '{' ? '' : ','}${JSON.stringify(to)}:${rawAt(text, names)}}`;
  }
  return text === record.text ? record : { ...record, text, fields: JSON.parse(text) };
}

/**
 * Returns the text of an object without the member at the path of these names. Other members keep their
 * bytes.
 */
function withoutNested(text: string, [name, ...inner]: readonly string[]): string {
  if (inner.length === 0) return withoutMembers(text, (key) => key === name);
  const member = membersOf(text).findLast(({ key }) => key === name);
  if (member === undefined) return text;
  const { value, end } = member;
  return text.slice(0, value) + withoutNested(text.slice(value, end), inner) + text.slice(end);
}
