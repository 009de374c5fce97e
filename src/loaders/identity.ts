import { uuidFault } from '../core/task.ts';
import { nameUuid, randomUuid, type UuidVersion } from '../core/uuid.ts';
import type { Loaded } from './loader.ts';

export interface IdentityOptions {
  /** The attributes whose values make the uuid. Default: the record's own `uuid`, else all of its values. */
  readonly uuidFields?: readonly string[] | undefined;
  /** The kind of UUID: 3 (MD5, the default) or 5 (SHA-1) of those values, 4 or 7 random. */
  readonly uuid?: UuidVersion | undefined;
  /** What joins several values. Default U+001F, so that `a`, `bc` and `ab`, `c` differ. */
  readonly uuidSep?: string | undefined;
}

/** Why a record can have no uuid, in words. */
export class NoIdentity {
  readonly why: string;

  constructor(why: string) {
    this.why = why;
  }
}

const HALF = new NoIdentity('a value that its uuid is made of has half of a surrogate pair');

/**
 * What gives each record its uuid. A record that was a task before keeps the one it has, so that what failed is the
 * same task when it is loaded again.
 */
export function identify(options: IdentityOptions): (record: Loaded) => string | NoIdentity {
  const { uuidFields, uuid: version, uuidSep = '\u001f' } = options;
  const make = (values: readonly string[]): string | NoIdentity => {
    if (version === 4 || version === 7) return randomUuid(version);
    const name = values.length === 1 ? (values[0] as string) : values.join(uuidSep);
    // In UTF-8 all halves are the same, and two tasks would be one.
    return name.isWellFormed() ? nameUuid(name, version ?? 3) : HALF;
  };
  const isMade = uuidFields !== undefined || version === 4 || version === 7;
  return (record) => {
    const { uuid } = record;
    if (uuid !== undefined && (record.wasTask || !isMade)) {
      const fault = uuidFault(uuid);
      return fault === undefined ? (uuid as string) : new NoIdentity(fault);
    }
    if (uuidFields === undefined) return make(record.texts());
    const values: string[] = [];
    for (const name of uuidFields) {
      const value = record.text(name);
      if (value === undefined) return new NoIdentity(`no attribute ${JSON.stringify(name)} (--uuid-fields)`);
      values.push(value);
    }
    return make(values);
  };
}
