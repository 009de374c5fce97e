/*
 * Ledgers: which tasks are finished. Owns the table of kinds, by the form of their place. Must not know rows or formats
 * of outputs.
 */
import { TaskpipeError } from '../core/base/errors.ts';
import { withoutUser } from '../core/base/terminal-text.ts';
import type { IdSet } from '../core/ids/id-set.ts';
import type { Ledger } from './contract.ts';
import { jsonlLedger } from './jsonl/jsonl-ledger.ts';
import { redisLedger } from './redis-ledger.ts';
import { sqliteLedger } from './sqlite-ledger.ts';

export type { Condition, Entry, Ledger, LedgerWriter, OutputHistory, Seal } from './contract.ts';

/** The kinds of ledgers, by how their places begin. A place without `://` is a file, or by its ending a database. */
const ledgers: Readonly<Record<string, (place: string, say: (message: string) => void) => Ledger>> = {
  file: jsonlLedger,
  redis: redisLedger,
  rediss: redisLedger,
  sqlite: sqliteLedger,
};

/**
 * The ledger at a place. Nothing is opened yet.
 * @param place a path, or the url of one in Redis: `redis://h/0#name`
 * @param say a line on stderr
 * @throws {TaskpipeError} `USAGE`, where the place is of no known kind
 */
export function openLedger(place: string, say: (message: string) => void): Ledger {
  const kind = /^([a-z]+):\/\//.exec(place)?.[1] ?? (/\.(db|sqlite3?)$/i.test(place) ? 'sqlite' : 'file');
  const make = ledgers[kind];
  if (make === undefined || place === '') {
    throw new TaskpipeError(
      'USAGE',
      `a ledger is a JSONL file, as in done.jsonl, or redis://HOST/0#NAME; got ${JSON.stringify(withoutUser(place))}`,
    );
  }
  return make(place, say);
}

/** The uuids that are finished according to a ledger; none where it does not exist. @throws {TaskpipeError} */
export function finishedIn(place: string): Promise<IdSet> {
  return openLedger(place, () => {}).finished();
}
