import {
  HALF,
  nameUuid,
  nameUuidOf,
  randomUuid,
  type UuidVersion,
  uuidOfCanonical,
} from '../core/ids/index.ts';
import { list, text, value } from '../core/options/declare.ts';
import type { LibraryOptions } from '../core/options/library-options.ts';
import { InvalidValue } from '../core/options/option.ts';
import { uuidFault } from '../core/record/task.ts';
import { encodeUtf8, hasBytes } from '../core/text/encoding.ts';
import type { Loaded } from './contract.ts';

const VERSIONS = ['3', '5', '4', '7'];

/** Options of the uuids of a load. */
export const identityOptions = {
  /**
   * Attributes from which the uuid is made, by name or path. Default: the record's own `uuid`, else the whole record,
   * with names.
   */
  uuidFields: list(
    'make the uuid from these attributes, by name or path, as Python: uuid3(NAMESPACE_URL, value)',
  ),
  /** Kind of UUID: 3 (MD5, the default) or 5 (SHA-1) of the record or those values; 4 or 7 are random. */
  uuid: value<UuidVersion>(
    'kind of uuid: 3 (MD5) or 5 (SHA-1) of the record; 4 and 7 are random, so runs cannot resume',
    VERSIONS.join('|'),
    toVersion,
    {
      default: 3,
      choices: VERSIONS,
      env: 'TASK_UUID_VERSION', // TASK_UUID is the uuid of the task, for a command
    },
  ),
  /** Separator between values. Default: U+001F, so that `a`, `bc` and `ab`, `c` differ. */
  uuidSep: text("separator of several values; '' for plain concatenation", {
    default: '\u001f',
    defaultText: 'U+001F',
    allowsEmpty: true,
  }),
};

export type IdentityOptions = LibraryOptions<typeof identityOptions>;

function toVersion(typed: string): UuidVersion {
  if (!VERSIONS.includes(typed)) throw new InvalidValue(`must be one of ${VERSIONS.join(', ')}`);
  return Number(typed) as UuidVersion;
}

/** Reason a record cannot have a uuid. */
export class NoIdentity {
  readonly why: string;

  constructor(why: string) {
    this.why = why;
  }
}

const NO_TEXT = new NoIdentity(HALF);
const HALF_FIELD = new NoIdentity('a value of --uuid-fields has half of a surrogate pair');

/**
 * Returns the function that gives each record its uuid. A record that was a task before keeps its uuid, so
 * that a failed task stays the same task when it is loaded again; unless `uuidFields` names a part of its
 * result.
 */
export function identify(options: IdentityOptions): (record: Loaded) => string | NoIdentity {
  const { uuidFields, uuid: version = 3, uuidSep = '\u001f' } = options;
  const isMade = uuidFields !== undefined || version === 4 || version === 7;
  return (record) => {
    const { uuid } = record;
    const isKept = !isMade || (record.hasRun && !record.isMadeOf(uuidFields ?? []));
    if (uuid !== undefined && isKept) {
      const fault = uuidFault(uuid);
      return fault === undefined ? (uuid as string) : new NoIdentity(fault);
    }
    if (version === 4 || version === 7) return randomUuid(version);
    if (uuidFields === undefined) return uuidOfCanonical(record.canonical(), version) ?? NO_TEXT;
    return uuidOfFields(record, uuidFields, uuidSep, version);
  };
}

function uuidOfFields(
  record: Loaded,
  fields: readonly string[],
  separator: string,
  version: 3 | 5,
): string | NoIdentity {
  const values: string[] = [];
  for (const name of fields) {
    const value = record.text(name);
    if (value === undefined) return new NoIdentity(`no attribute ${JSON.stringify(name)} (--uuid-fields)`);
    values.push(value);
  }
  const name = values.length === 1 ? (values[0] as string) : values.join(separator);
  if (name.isWellFormed()) return nameUuid(name, version);
  // In UTF-8, all other lone surrogates become the same bytes, so two tasks would become one.
  return hasBytes(name) ? nameUuidOf(encodeUtf8(name), version) : HALF_FIELD;
}
