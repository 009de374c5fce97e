/*
 * One suite for all savers: what they keep, and what a kill, a full disk, another process and another program cost
 * them.
 */
import { cpSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { trials } from '../../faults/support/report.ts';
import { NUMBERS, TEXTS } from '../../support/awkward-values.ts';
import { postgresPrograms, startPostgres, type TestPostgres } from '../../support/postgres.ts';
import { freshFolder, has, sh } from '../../support/run.ts';
import { recordsFrom, save, startSaver } from './running.ts';
import { FILES, type Place, type Row, type Saver, TABLES } from './savers.ts';

const hasPrlimit = await has('prlimit');

let server: TestPostgres | undefined;
beforeAll(async () => {
  if (postgresPrograms !== undefined) server = await startPostgres();
}, 60_000);

let places = 0;
const freshPlace = (): Place => ({ cwd: freshFolder(), table: `t${places++}`, server });

/** Returns the rows of the records from one number to before another. */
const rowsFrom = (from: number, to: number): Row[] =>
  Array.from({ length: to - from }, (_, i): Row => [`u${from + i}`, from + i]);
const sorted = (rows: readonly Row[]): Row[] => [...rows].sort(([, a], [, b]) => a - b);
const uuidsOf = (rows: readonly Row[]): string[] => rows.map(([uuid]) => uuid);

/** Returns the bytes of all files below a folder, but those of a database that is open. */
function filesIn(folder: string): Record<string, string> {
  const names = readdirSync(folder, { recursive: true }) as string[];
  const files = names.filter((name) => statSync(join(folder, name)).isFile() && !/-(?:wal|shm)$/.test(name));
  return Object.fromEntries(files.map((name) => [name, readFileSync(join(folder, name), 'latin1')]));
}

/** Records of a run that is killed. */
const COUNT = 120;

describe.each([...FILES, ...TABLES])('task-save to $name', { timeout: 120_000 }, (saver: Saver) => {
  const isInstalled = saver.path !== undefined || postgresPrograms !== undefined;
  const given = test.skipIf(!isInstalled);

  given('keeps the values of the table for task-load', async () => {
    const place = freshPlace();
    const values = [...TEXTS.map((text) => JSON.stringify(text)), ...NUMBERS];
    const input = values.map((value, i) => `{"uuid":"u${i}","part":"p0","v":${value}}\n`).join('');
    expect((await save(saver, place, input)).code).toBe(0);
    const { stdout } = await sh(`task-load ${saver.source(place)} --quiet`, { cwd: place.cwd });
    const found = new Map(
      stdout
        .split('\n')
        .slice(0, -1)
        .map((line) => [/"uuid":"(u\d+)"/.exec(line)?.[1], line]),
    );
    const texts = TEXTS.map((_, i) => JSON.parse(found.get(`u${i}`) ?? '{}').v);
    expect(texts).toEqual(TEXTS);
    const numbers = NUMBERS.map((_, i) =>
      /"v":("[^"]*"|[^,}]*)/.exec(found.get(`u${TEXTS.length + i}`) ?? '')?.at(1),
    );
    expect(numbers).toEqual(NUMBERS.map(saver.kept));
  });

  given('takes no record, and then one, which another run does not add again', async () => {
    const place = freshPlace();
    expect([(await save(saver, place, '')).code, await saver.read(place)]).toEqual([0, []]);
    for (let run = 0; run < 2; run++) {
      expect((await save(saver, place, recordsFrom(1, 2))).code).toBe(0);
      expect(await saver.read(place)).toEqual([['u1', 1]]);
    }
  });

  given('has each row once after kill -9 and another run, and another adds none', async () => {
    for (let trial = 0; trial < trials(50, 2); trial++) {
      const place = freshPlace();
      const running = startSaver(saver, place, '--flush 10');
      running.feed(0, COUNT);
      await running.acknowledged(1 + ((trial * 61) % (COUNT - 20)));
      const passed = await running.kill();
      const marked = saver.finished(place);
      // a copy, as opening a database recovers it
      const copy = { ...place, cwd: join(freshFolder(), 'copy') };
      cpSync(place.cwd, copy.cwd, { recursive: true });
      const there = new Set(uuidsOf(await saver.read(copy)));
      expect(passed.filter((uuid) => !marked.has(uuid))).toEqual([]);
      expect([...marked].filter((uuid) => !there.has(uuid))).toEqual([]);
      for (let run = 0; run < (trial === 0 ? 2 : 1); run++) {
        expect(await save(saver, place, recordsFrom(0, COUNT))).toMatchObject({ code: 0 });
        expect(sorted(await saver.read(place))).toEqual(rowsFrom(0, COUNT));
        expect(saver.finished(place).size).toBe(COUNT);
      }
    }
  });

  const { tear } = saver;
  if (tear !== undefined)
    test('repairs the end that a crash has torn', async () => {
      const place = freshPlace();
      const running = startSaver(saver, place, '--flush 10');
      running.feed(0, 10);
      await running.acknowledged(10);
      await running.kill();
      tear(place.cwd);
      expect(await save(saver, place, recordsFrom(0, 20))).toMatchObject({ code: 0 });
      expect(sorted(await saver.read(place))).toEqual(rowsFrom(0, 20));
      expect(saver.finished(place).size).toBe(20);
    });

  given('refuses an output that another program has cut or replaced, and leaves it as it is', async () => {
    const place = freshPlace();
    await save(saver, place, recordsFrom(0, 3));
    const older = join(freshFolder(), 'older');
    cpSync(place.cwd, older, { recursive: true });
    await save(saver, place, recordsFrom(0, 6));
    const whole = join(freshFolder(), 'whole');
    cpSync(place.cwd, whole, { recursive: true });
    const replace = (from: string): void => {
      const path = saver.path as string;
      saver.remove(place);
      cpSync(join(from, path), join(place.cwd, path), { recursive: true });
    };
    const changes = [() => saver.cut(place), ...(saver.path ? [() => replace(older)] : [])];
    for (const change of changes) {
      change();
      const before = [filesIn(place.cwd), saver.path ? undefined : await saver.read(place)];
      const { code, stderr } = await save(saver, place, recordsFrom(6, 7));
      expect([code, stderr]).toEqual([
        65,
        expect.stringMatching(/missing|cut short|not a whole|damaged|never closed/),
      ]);
      expect([filesIn(place.cwd), saver.path ? undefined : await saver.read(place)]).toEqual(before);
      if (saver.path) replace(whole);
    }
    if (saver.path === undefined) return;
    expect(await save(saver, place, recordsFrom(0, 7))).toMatchObject({ code: 0 });
    expect(sorted(await saver.read(place))).toEqual(rowsFrom(0, 7));
  });

  given(
    'ends with an error if the output is removed meanwhile, and marks only rows that are there',
    async () => {
      const place = freshPlace();
      const running = startSaver(saver, place, '--flush 1');
      running.feed(0, 1);
      await running.acknowledged(1);
      saver.remove(place);
      running.feed(1, 3);
      const { code, stderr } = await running.end();
      expect([code, stderr]).toEqual([
        expect.toBeOneOf([65, 74]),
        expect.stringMatching(/was removed|no such file/),
      ]);
      // a divided output may have new files by then
      const there = ['u0', ...uuidsOf(await saver.read(place))];
      expect(running.passed.filter((uuid) => !there.includes(uuid))).toEqual([]);
      expect([...saver.finished(place)].filter((uuid) => !there.includes(uuid))).toEqual([]);
    },
  );

  const isLimited = saver.path === undefined || hasPrlimit;
  test.skipIf(!isInstalled || !isLimited)('loses nothing if writes are refused meanwhile', async () => {
    const place = freshPlace();
    const running = startSaver(saver, place, `--flush 10 ${saver.path ? '' : '--patience 100ms'}`);
    running.feed(0, 10);
    await running.acknowledged(10);
    const allow = await running.refuseWrites();
    running.feed(10, 200);
    const { code, stderr } = await running.end();
    await allow();
    expect([code, stderr]).toEqual([74, expect.stringMatching(/no space|full|size limit|read-only/)]);
    const marked = saver.finished(place);
    expect(running.passed.filter((uuid) => !marked.has(uuid))).toEqual([]);
    expect(await save(saver, place, recordsFrom(0, 200))).toMatchObject({ code: 0 });
    expect(sorted(await saver.read(place))).toEqual(rowsFrom(0, 200));
    expect(saver.finished(place).size).toBe(200);
  });

  given(saver.isShared ? 'lets two processes save at once' : 'refuses a second process', async () => {
    const place = freshPlace();
    const first = startSaver(saver, place, '--flush 1');
    first.feed(0, 1);
    await first.acknowledged(1);
    const second = await save(saver, place, recordsFrom(0, 3), '--rest second.ndjson');
    if (saver.isShared) expect(second).toMatchObject({ code: 0 });
    else
      expect(second).toMatchObject({
        code: 75,
        stderr: expect.stringContaining('is being written by another task-save'),
      });
    first.feed(2, 4);
    expect(await first.end()).toMatchObject({ code: 0 });
    expect(uuidsOf(sorted(await saver.read(place)))).toEqual(
      saver.isShared ? ['u0', 'u1', 'u2', 'u3'] : ['u0', 'u2', 'u3'],
    );
  });
});

afterAll(() => server?.stop());
