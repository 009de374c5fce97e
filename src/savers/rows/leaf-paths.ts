import { membersOf } from '../../core/record/json-text.ts';

/**
 * Returns the paths of the leaves of a record, with dots between names: `uuid` first, then the others in the order of
 * the text. A parsed object loses this order: JavaScript puts names that are whole numbers first. Arrays and empty
 * objects are leaves.
 * @param line the text of a JSON object
 */
export function leafPaths(line: string): string[] {
  const paths = new Set(['uuid']);
  addPaths(line, '', paths);
  return [...paths];
}

function addPaths(text: string, prefix: string, paths: Set<string>): void {
  // Like JSON.parse, takes the last of several members with one name.
  const members = new Map(membersOf(text).map((member) => [member.key, member]));
  if (members.size === 0 && prefix !== '') paths.add(prefix.slice(0, -1));
  for (const [name, { value, end }] of members) {
    if (text[value] === '{') addPaths(text.slice(value, end), `${prefix}${name}.`, paths);
    else paths.add(prefix + name);
  }
}
