import { canonicalJson, hasHalf } from '../record/canonical-json.ts';
import { nameUuid } from './uuid.ts';

/** Reason a record has no default uuid. */
export const HALF =
  'text with half of a surrogate pair cannot be made into a uuid (--uuid-fields can name others)';

/**
 * Returns the default uuid of a record, which is the UUID of its canonical JSON text. Returns undefined if
 * the text has half of a surrogate pair: UTF-8 replaces all halves alike, so different records would get the
 * same uuid.
 * @param canonical text of its attributes, without uuid, run and result: see `canonicalObject`
 */
export function uuidOfCanonical(canonical: string, version: 3 | 5 = 3): string | undefined {
  return hasHalf(canonical) ? undefined : nameUuid(canonical, version);
}

/** Returns the default uuid of a record that is not JSON text yet. */
export function uuidOfAttributes(attributes: Readonly<Record<string, unknown>>): string | undefined {
  return uuidOfCanonical(canonicalJson(JSON.stringify(attributes)));
}
