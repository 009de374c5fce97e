import { canonicalJson, hasHalf } from '../record/canonical-json.ts';
import { nameUuid } from './uuid.ts';

/** The reason why a record has no default uuid. */
export const HALF =
  'text with half of a surrogate pair cannot be made into a uuid (--uuid-fields can name others)';

/**
 * Returns the uuid that a record has by default, the UUID of its canonical JSON text; undefined if that has half of a
 * surrogate pair. All halves are the same in UTF-8, so that different records would have one uuid.
 * @param canonical text of its attributes, without uuid, run and result: see `canonicalObject`
 */
export function uuidOfCanonical(canonical: string, version: 3 | 5 = 3): string | undefined {
  return hasHalf(canonical) ? undefined : nameUuid(canonical, version);
}

/** Returns the same of an object that is not JSON text yet. */
export function uuidOfAttributes(attributes: Readonly<Record<string, unknown>>): string | undefined {
  return uuidOfCanonical(canonicalJson(JSON.stringify(attributes)));
}
