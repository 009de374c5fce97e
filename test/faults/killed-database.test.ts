import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pMap from 'p-map';
import { describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/core/storage/sqlite-database.ts';
import { freshFolder, sh } from '../support/run.ts';
import { finishedIn } from './support/oracle.ts';
import { ours } from './support/program.ts';
import { part, recordsOf } from './support/saving.ts';
import { stepwise } from './support/stepwise.ts';
import { canTrace, pointsIn, TRACEABLE, tracing } from './support/strace.ts';

const SAVE = 'task-save t.db --ledger l.jsonl --tee --flush 3 --quiet';
const PARTS = [part(1), part(2, { more: { x: 1 } }), part(3)];

interface State {
  readonly rows: readonly string[];
  readonly rest: readonly string[];
  readonly isSound: boolean;
}

/** Returns the contents of a database and its rest file. */
async function stateOf(folder: string): Promise<State> {
  const restOf = (name: string): readonly string[] => {
    const path = join(folder, `t.db.rest.ndjson${name}`);
    return existsSync(path) ? recordsOf(readFileSync(path, 'utf8')).map(({ uuid }) => uuid) : [];
  };
  const rest = [...restOf(''), ...restOf('.run')].sort();
  if (!existsSync(join(folder, 't.db'))) return { rows: [], rest, isSound: true };
  const database = await openDatabase(join(folder, 't.db'));
  try {
    const [[check] = []] = await database.all('pragma integrity_check');
    const tables = await database.all("select 1 from sqlite_schema where name = 'tasks'");
    const rows = tables.length === 0 ? [] : await database.all('select uuid from tasks order by uuid');
    return { rows: rows.map(([uuid]) => String(uuid)), rest, isSound: check === 'ok' };
  } finally {
    database.close();
  }
}

describe.skipIf(!canTrace)('task-save to a database killed at a system call (needs strace)', () => {
  test('leaves an intact database with every acknowledged record, and the next run completes it', async () => {
    const base = freshFolder();
    const whole = join(base, 'whole');
    mkdirSync(whole);
    const trace = join(base, 'trace');
    const run = (cwd: string, prefix: string): ReturnType<typeof stepwise> =>
      stepwise(ours, { cwd, command: `${prefix} ${SAVE}`, parts: PARTS, env: TRACEABLE });
    await run(whole, tracing(whole, trace));
    const expected = await stateOf(whole);
    expect(expected).toEqual({
      rows: ['t10', 't11', 't20', 't21', 't30', 't31'],
      rest: ['t12', 't22', 't32'],
      isSound: true,
    });
    // Threads of the library share the calls, so a run may not reach the count: then nothing is killed.
    const kills = pointsIn(whole, trace).flatMap(({ call, file, count }) =>
      Array.from({ length: count }, (_, i) => ({ call, file, when: i + 1 })),
    );
    let killed = 0;
    const breaches: string[] = [];
    await pMap(
      kills,
      async (kill, i) => {
        const folder = join(base, `k${i}`);
        mkdirSync(folder);
        const end = await run(folder, tracing(folder, `${folder}.trace`, { ...kill, how: 'signal=KILL' }));
        if (end.code !== 137 && end.signal !== 'SIGKILL') return;
        killed++;
        const name = `${kill.call} ${kill.file} #${kill.when}`;
        const copy = `${folder}-copy`; // opening it makes SQLite recover from the crash
        cpSync(folder, copy, { recursive: true });
        const left = await stateOf(copy);
        if (!left.isSound) breaches.push(`${name}: the database is damaged`);
        const tee = existsSync(join(folder, 'tee')) ? readFileSync(join(folder, 'tee'), 'utf8') : '';
        for (const { uuid, run } of recordsOf(tee)) {
          if (!(run.state === 'SUCCESS' ? left.rows : left.rest).includes(uuid))
            breaches.push(`${name}: ${uuid} is lost`);
        }
        for (const uuid of finishedIn(join(folder, 'l.jsonl'))) {
          if (!left.rows.includes(uuid)) breaches.push(`${name}: ${uuid} is marked without a row`);
        }
        const again = await sh(SAVE, { cwd: folder, input: PARTS.join(''), env: ours.env });
        if (again.code !== 1) breaches.push(`${name}: then ${again.code} ${again.stderr}`);
        const after = await stateOf(folder);
        if (JSON.stringify(after) !== JSON.stringify(expected))
          breaches.push(`${name}: then ${JSON.stringify(after)}`);
        if (finishedIn(join(folder, 'l.jsonl')).size !== 6) breaches.push(`${name}: the ledger lacks some`);
      },
      { concurrency: 3 },
    );
    expect(breaches).toEqual([]);
    expect(killed).toBeGreaterThan(30);
  }, 600_000);
});
