/*
 * Ledgers: lists of finished tasks. Owns the table of kinds, by the form of their place. Must not know rows
 * or formats of outputs.
 */
import { TaskpipeError } from '../core/base/errors.ts';
import { withoutUser } from '../core/base/terminal-text.ts';
import type { IdSet } from '../core/ids/index.ts';
import { isPostgres } from '../core/postgres/postgres-address.ts';
import { isS3 } from '../core/s3/s3-address.ts';
import { schemeOf } from '../core/storage/path-conflicts.ts';
import type { Ledger, LedgerSettings } from './contract.ts';
import { jsonlLedger } from './jsonl/jsonl-ledger.ts';
import { postgresLedger } from './postgres/postgres-ledger.ts';
import { redisLedger } from './redis-ledger.ts';
import { sqliteLedger } from './sqlite-ledger.ts';

export type {
  Condition,
  Entry,
  Ledger,
  LedgerSettings,
  LedgerWriter,
  OutputHistory,
  Seal,
} from './contract.ts';

export { markerOf } from './postgres/postgres-ledger.ts';

type Open = (place: string, warn: (message: string) => void, settings: LedgerSettings) => Ledger;

/** Kinds of ledgers by the scheme of the place. */
const servers: Readonly<Record<string, Open>> = {
  postgres: postgresLedger,
  postgresql: postgresLedger,
  redis: redisLedger,
  rediss: redisLedger,
  'redis+sentinel': redisLedger,
  'rediss+sentinel': redisLedger,
};

/**
 * Returns the ledger at a place. Opens nothing yet.
 * @param place a path, or a url in Redis, `redis://h/0#name`, or in PostgreSQL, `postgres://h/db?ledger=name`
 * @param warn writes a line to stderr
 * @param settings how long to wait for a server
 * @throws {TaskpipeError} `USAGE` if the kind of the place is unknown
 */
export function openLedger(
  place: string,
  warn: (message: string) => void,
  settings: LedgerSettings = {},
): Ledger {
  const make = kindOf(place);
  if (make === undefined || place === '') {
    throw new TaskpipeError(
      'USAGE',
      `a ledger is a JSONL file, as in done.jsonl, or redis://HOST/0#NAME, or postgres://HOST/DATABASE?ledger=NAME; got ${JSON.stringify(withoutUser(place))}`,
    );
  }
  return make(place, warn, settings);
}

/** Returns the kind of a ledger: by its scheme, or a database by its ending, or a file. Undefined for an unknown scheme. */
function kindOf(place: string): Open | undefined {
  const scheme = schemeOf(place);
  if (scheme === undefined) return /\.(db|sqlite3?)$/i.test(place) ? sqliteLedger : jsonlLedger;
  return Object.hasOwn(servers, scheme) ? servers[scheme] : undefined;
}

export function isRedisLedger(place: string): boolean {
  return kindOf(place) === redisLedger;
}

/**
 * Returns the finished uuids of a ledger; an empty set if it does not exist.
 * @param say receives a warning about lines that cannot be read
 * @param settings how long to wait for a server
 * @throws {TaskpipeError}
 */
export function finishedIn(
  place: string,
  say: (message: string) => void = () => {},
  settings: LedgerSettings = {},
): Promise<IdSet> {
  return openLedger(place, say, settings).finished();
}

/**
 * Returns the options that have no effect on a ledger, each with the reason.
 * @param place undefined if there is none
 * @param other another place of the run that may be on a server
 */
export function unusedLedgerOptions(place: string | undefined, other?: string): ReadonlyMap<string, string> {
  const words = 'is for a ledger in Redis or PostgreSQL; it does nothing';
  if (isPostgres(other) || isS3(other)) return new Map();
  if (place === undefined) return new Map([['patience', `${words} without one`]]);
  const isServer = isRedisLedger(place) || isPostgres(place);
  return new Map(isServer ? [] : [['patience', `${words} with this one`]]);
}
