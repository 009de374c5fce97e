import { existsSync } from 'node:fs';
import { TaskpipeError } from '../core/base/errors.ts';
import { IdSet } from '../core/ids/index.ts';
import { HAS_SIGN } from '../core/record/run-columns.ts';
import { type Database, openDatabase } from '../core/storage/sqlite-database.ts';
import type { Ledger } from './contract.ts';

const BATCH = 1000;

/**
 * Returns a ledger that reads a database of `task-save`: tasks with a row in its table `tasks` that did not
 * fail are finished.
 */
export function sqliteLedger(path: string): Ledger {
  const finished = async (): Promise<IdSet> => {
    const ids = new IdSet();
    for await (const uuids of list(path)) for (const uuid of uuids) ids.add(uuid);
    return ids;
  };
  const refuse = (what: string): never => {
    throw new TaskpipeError(
      'USAGE',
      `${path} is a database, whose rows say what is finished: ${what}; task-save writes it, or name a JSONL file`,
    );
  };
  return {
    place: path,
    finished,
    list: () => list(path),
    history: async () => refuse('it cannot be the ledger of another output'),
    rowsIn: () => refuse('it cannot be the ledger of another output'),
    open: async () => refuse('no uuid can be marked without its row'),
    async check() {
      const { size } = await finished();
      return { lines: size, bad: 0, finished: size, undone: 0 };
    },
    compact: async () => refuse('there is nothing to compact'),
    clear: async () => refuse('it is not cleared from here'),
  };
}

/** Lists the finished uuids. A missing file, or a database without the table, counts as empty. */
async function* list(path: string): AsyncGenerator<readonly string[]> {
  if (!existsSync(path)) return;
  const database = await openDatabase(path, { readonly: true });
  try {
    const query = await queryOf(database);
    if (query === undefined) return;
    let uuids: string[] = [];
    for (const [uuid] of await (await database.prepare(query)).rows()) {
      uuids.push(String(uuid));
      if (uuids.length < BATCH) continue;
      yield uuids;
      uuids = [];
    }
    yield uuids;
  } finally {
    database.close();
  }
}

async function queryOf(database: Database): Promise<string | undefined> {
  const rows = await database.all("select name from pragma_table_info('tasks')");
  const names = rows.map(([name]) => name);
  if (names.length === 0) return undefined;
  if (!names.includes('uuid'))
    throw new TaskpipeError(
      'DATA',
      `${database.path}: its table tasks has no column uuid, so it is not a ledger`,
    );
  const isOurs = (await database.all(HAS_SIGN, ['tasks'])).length > 0;
  return isOurs && names.includes('state')
    ? "select uuid from tasks where coalesce(state, 'SUCCESS') = 'SUCCESS'"
    : 'select uuid from tasks';
}
