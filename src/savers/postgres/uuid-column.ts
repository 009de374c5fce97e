import type { DeclaredColumn } from '../../core/postgres/postgres-table.ts';

/** Reason a uuid is not stored as it is; undefined if it is. */
export type UuidCheck = (uuid: string) => string | undefined;

/** A form in which texts of a type are the same value only if they are equal. */
interface Form {
  readonly types: readonly string[];
  readonly fits: (uuid: string) => boolean;
  readonly words: string;
}

const FORMS: readonly Form[] = [
  {
    types: ['uuid'],
    fits: (uuid) => /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/.test(uuid),
    words: 'uuids in lower case, as in a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
  },
  {
    types: ['int2', 'int4', 'int8', 'numeric'],
    fits: (uuid) => /^(?:0|-?[1-9]\d*)$/.test(uuid),
    words: 'whole numbers without leading zeros',
  },
  { types: ['citext'], fits: (uuid) => uuid === uuid.toLowerCase(), words: 'text in lower case' },
  { types: ['bpchar'], fits: (uuid) => !uuid.endsWith(' '), words: 'text without spaces at its end' },
];

/**
 * Returns the check for uuids of a column that another program made: its type may take two of them for one, and the row
 * of one would replace that of the other.
 */
export function uuidCheckOf(column: DeclaredColumn | undefined): UuidCheck {
  const form = FORMS.find(({ types }) => types.includes(column?.type ?? 'text'));
  if (form === undefined) return () => undefined;
  const words = `its column uuid has the type ${column?.type}, which needs ${form.words}`;
  return (uuid) => (form.fits(uuid) ? undefined : `${words}; got ${JSON.stringify(uuid)}`);
}
