import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseTask } from '../../src/core/record/ndjson.ts';
import type { Task } from '../../src/core/record/task.ts';
import { openDatabase } from '../../src/core/storage/sqlite-database.ts';
import { finishedIn } from '../../src/ledgers/index.ts';
import { type SaveOptions, save } from '../../src/stages/save/save.ts';
import { freshFolder } from '../support/run.ts';

const run = {
  state: 'FAILURE',
  as: 'result',
  attempts: 1,
  at: 'x',
  ms: 1,
  error: { code: 'E', message: 'm' },
};
const A = { uuid: 'a', x: 1 };
const B = { uuid: 'b', x: 2 };
const C = { uuid: 'c', x: 3 };
const FAILED = { uuid: 'f', x: 4, run };

/** Saves records one by one. Calls `edit` once the first ones are safe. */
async function edited(
  name: string,
  { first = [A], later = [B], edit, ...options }: Setting,
): Promise<{ folder: string; message: string; safe: string }> {
  const folder = freshFolder();
  const ledger = options.ledger === undefined ? undefined : join(folder, options.ledger);
  let safe = '';
  let isEdited = false;
  const tasksOf = (records: readonly object[]): Task[] =>
    records.map((record) => parseTask(JSON.stringify(record)) as Task);
  let proceed = (): void => {};
  const isSafe = new Promise<void>((resolve) => {
    proceed = resolve;
  });
  const tee = async (lines: string): Promise<void> => {
    safe += lines;
    proceed();
  };
  const input = (async function* () {
    yield tasksOf(first);
    if (options.overwrite !== true) await isSafe;
    edit(folder);
    isEdited = true;
    yield tasksOf(later);
  })();
  const given = { ...options, ledger, flush: 1, ...(options.overwrite ? {} : { tee }) };
  const failure: unknown = await save(input, join(folder, name), given).then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(isEdited).toBe(true);
  const message = failure instanceof Error ? failure.message.replaceAll(`${folder}/`, '') : '';
  if (failure !== undefined) expect(failure).toMatchObject({ code: 'IO' });
  return { folder, message: message.replaceAll(/\d{8}T\d{6}Z/g, 'TIME'), safe };
}

interface Setting extends SaveOptions {
  readonly first?: readonly object[];
  readonly later?: readonly object[];
  readonly edit: (folder: string) => void;
}

const textOf = (folder: string, name: string): string => readFileSync(join(folder, name), 'utf8');
const keptIn = (folder: string): string =>
  textOf(folder, readdirSync(folder).find((name) => name.includes('.kept-')) ?? 'no copy');

describe('an output', () => {
  test('ends the run if it is replaced; the old file is kept, and nothing more is marked', async () => {
    const { folder, message, safe } = await edited('out.csv', {
      ledger: 'done.jsonl',
      edit(folder) {
        writeFileSync(join(folder, 'new'), 'uuid,x\na,9\n');
        renameSync(join(folder, 'new'), join(folder, 'out.csv'));
      },
    });
    expect(message).toBe(
      'out.csv was replaced by another file during the run (sed -i, editors and git checkout do that), with 2 rows of this run in it (1 of them not in the ledger); the old file is kept as out.csv.kept-TIME; run the same command again: it runs the tasks again that the ledger does not have, and reports rows that are missing',
    );
    expect(textOf(folder, 'out.csv')).toBe('uuid,x\na,9\n');
    expect(keptIn(folder)).toBe('uuid,x\na,1\nb,2\n');
    expect((await finishedIn(join(folder, 'done.jsonl'))).size).toBe(1);
    expect(safe).not.toContain('"b"');
  });

  test('is kept whole if it is removed, and the message says how to continue with it', async () => {
    const { folder, message } = await edited('out.csv', {
      edit: (folder) => rmSync(join(folder, 'out.csv')),
    });
    expect(message).toBe(
      'out.csv was removed during the run, with 2 rows of this run in it; the old file is kept as out.csv.kept-TIME; to continue with it: mv out.csv.kept-TIME out.csv, then run the same command again',
    );
    expect(keptIn(folder)).toBe('uuid,x\na,1\nb,2\n');
    expect(existsSync(join(folder, 'out.csv'))).toBe(false);
  });

  test('is reported at the end if it is removed after the last row', async () => {
    const { message } = await edited('out.csv', {
      later: [],
      edit: (folder) => rmSync(join(folder, 'out.csv')),
    });
    expect(message).toMatch(/^out.csv was removed during the run, with 1 row of this run in it;/);
  });

  test.runIf(process.platform === 'linux')('is reported with its new name if it is renamed', async () => {
    const { message } = await edited('out.csv', {
      edit: (folder) => renameSync(join(folder, 'out.csv'), join(folder, 'old.csv')),
    });
    expect(message).toBe(
      'out.csv was renamed to old.csv during the run, with 2 rows of this run in it; to continue with it: mv old.csv out.csv, then run the same command again',
    );
  });

  test('ends the run if its link leads elsewhere', async () => {
    const folder = freshFolder();
    symlinkSync('real.csv', join(folder, 'out.csv'));
    const records = [A, B].map((record) => parseTask(JSON.stringify(record)) as Task);
    const input = (async function* () {
      yield records.slice(0, 1);
      rmSync(join(folder, 'out.csv'));
      symlinkSync('other.csv', join(folder, 'out.csv'));
      writeFileSync(join(folder, 'other.csv'), 'mine');
      yield records.slice(1);
    })();
    await expect(save(input, join(folder, 'out.csv'), {})).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringMatching(
        /out.csv was renamed to .*real.csv during the run, and another file has/,
      ),
    });
    expect(textOf(folder, 'other.csv')).toBe('mine');
  });

  test('is not overwritten by --widen if it was replaced', async () => {
    const { folder, message } = await edited('out.csv', {
      widen: true,
      later: [{ uuid: 'b', x: 2, y: 3 }],
      edit(folder) {
        writeFileSync(join(folder, 'new'), 'mine');
        renameSync(join(folder, 'new'), join(folder, 'out.csv'));
      },
    });
    expect(message).toMatch(/^out.csv was replaced by another file/);
    expect(textOf(folder, 'out.csv')).toBe('mine');
    expect(readdirSync(folder).filter((name) => name.endsWith('.wide'))).toEqual([]);
  });

  test('is not overwritten by --overwrite if it appeared during the run', async () => {
    const { folder, message } = await edited('out.csv', {
      overwrite: true,
      edit: (folder) => writeFileSync(join(folder, 'out.csv'), 'mine'),
    });
    expect(message).toBe(
      'out.csv was changed by another program during the run and is not overwritten; to overwrite it: mv out.csv.new out.csv',
    );
    expect(textOf(folder, 'out.csv')).toBe('mine');
    expect(textOf(folder, 'out.csv.new')).toBe('uuid,x\na,1\nb,2\n');
  });

  test('is reported with both sizes if another program truncates it', async () => {
    const { message } = await edited('out.csv', {
      edit: (folder) => writeFileSync(join(folder, 'out.csv'), ''),
    });
    expect(message).toBe(
      'out.csv was truncated by another program during the run: it has 0 bytes instead of 11. Stop that program, look at the file, then run the same command again',
    );
  });
});

describe('a database', () => {
  const uuidsIn = async (path: string): Promise<string[]> => {
    const database = await openDatabase(path);
    const rows = await database.all('select uuid from tasks order by uuid');
    database.close();
    return rows.map(([uuid]) => String(uuid));
  };

  test('is kept with all of its rows if it is removed', async () => {
    const { folder, message, safe } = await edited('t.db', {
      edit: (folder) => rmSync(join(folder, 't.db')),
      later: [B, C],
    });
    expect(message).toBe(
      't.db was removed during the run, with 2 rows of this run in it; the old file is kept as t.db.kept-TIME; to continue with it: mv t.db.kept-TIME t.db, then run the same command again',
    );
    const kept = readdirSync(folder).find((name) => name.includes('.kept-')) as string;
    expect(await uuidsIn(join(folder, kept))).toEqual(['a', 'b']);
    expect(safe).not.toContain('"b"');
  });

  test('gets the rows of its -wal if that is removed', async () => {
    const { folder, message } = await edited('t.db', { edit: (folder) => rmSync(join(folder, 't.db-wal')) });
    expect(message).toBe(
      't.db-wal was removed or replaced during the run, which SQLite needs while t.db is open; all rows were copied into t.db; run the same command again',
    );
    expect(await uuidsIn(join(folder, 't.db'))).toEqual(['a', 'b']);
  });
});

describe('a ledger', () => {
  test('ends the run if it is removed, and the next run marks the saved rows', async () => {
    const { folder, message } = await edited('out.csv', {
      ledger: 'done.jsonl',
      edit: (folder) => rmSync(join(folder, 'done.jsonl')),
    });
    expect(message).toMatch(
      /^done.jsonl was removed during the run; the old file is kept as done.jsonl.kept-TIME; to continue/,
    );
    const none = (async function* (): AsyncGenerator<Task[]> {})();
    await save(none, join(folder, 'out.csv'), { ledger: join(folder, 'done.jsonl') });
    const finished = await finishedIn(join(folder, 'done.jsonl'));
    expect([finished.has('a'), finished.has('b')]).toEqual([true, true]);
  });

  test('gets no more lines if it was truncated', async () => {
    const { folder, message } = await edited('out.csv', {
      ledger: 'done.jsonl',
      edit: (folder) => writeFileSync(join(folder, 'done.jsonl'), ''),
    });
    expect(message).toMatch(
      /^done.jsonl was truncated by another program during the run: it has 0 bytes instead of/,
    );
    expect(textOf(folder, 'done.jsonl')).toBe('');
  });
});

describe('a rest file', () => {
  test('ends the run if its file of the run is removed, and the records are kept', async () => {
    const { folder, message } = await edited('out.csv', {
      first: [FAILED],
      later: [{ ...FAILED, uuid: 'g' }],
      edit: (folder) => rmSync(join(folder, 'out.csv.rest.ndjson.run')),
    });
    expect(message).toMatch(
      /^out.csv.rest.ndjson.run was removed during the run, with records that are not saved in it;/,
    );
    expect(keptIn(folder).match(/"uuid":"[fg]"/g)).toEqual(['"uuid":"f"', '"uuid":"g"']);
  });
});
