import { attribute, type Fields } from './task.ts';
import { rawMember } from './template.ts';

/**
 * Returns the names that lead to an attribute, one for each level of objects; undefined if there is no such
 * attribute. An attribute whose own name contains the dots takes precedence over a nested one. The paths are
 * those of the columns that `task-save` writes.
 * @param path a name, or names with dots between them, as in `result.json.sku`
 */
export function findNames(fields: Fields, path: string): readonly string[] | undefined {
  if (Object.hasOwn(fields, path)) return [path];
  for (let dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) {
    const name = path.slice(0, dot);
    const inner = attribute(fields, name);
    if (!isObject(inner)) continue;
    const names = findNames(inner, path.slice(dot + 1));
    if (names !== undefined) return [name, ...names];
  }
  return undefined;
}

/** Returns the value at the names from `findNames`. */
export function valueAt(fields: Fields, names: readonly string[]): unknown {
  let value: unknown = fields;
  for (const name of names) value = attribute(value as Fields, name);
  return value;
}

/** Returns the value at the names from `findNames`, as it is written in the text of the object. */
export function rawAt(text: string, names: readonly string[]): string {
  let raw = text;
  for (const name of names) raw = rawMember(raw, name) as string;
  return raw;
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
