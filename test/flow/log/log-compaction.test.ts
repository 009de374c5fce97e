/* The log of flows stays small, and a kill while it is rewritten loses nothing. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, watch, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { Engine, type Flow, linear, openFlowLog, task } from '../../../src/flow/index.ts';
import { freshFolder, root } from '../../support/run.ts';

const quiet = (): void => {};

/** Returns the lines of a log that are of runs. */
function linesIn(
  path: string,
): { uuid: string; atom?: string; state?: string; end?: string; result?: unknown }[] {
  const lines = readFileSync(path, 'utf8').split('\n');
  return lines.filter((line) => line.startsWith('{"uuid"')).map((line) => JSON.parse(line));
}

/** Runs a flow for some tasks, all at once, as task-exec does. */
async function runAll(path: string, flow: Flow, uuids: readonly string[], compactAt?: number): Promise<void> {
  const log = await openFlowLog(path, quiet, { compactAt });
  await Promise.all(
    uuids.map(async (uuid) => {
      const { state, provided } = await new Engine(flow, { journal: log.journal(flow.name, uuid) }).run();
      const result = state === 'SUCCESS' ? JSON.stringify(provided) : undefined;
      await log.end(flow.name, uuid, { state, result });
    }),
  );
  await log.close();
}

const names = (count: number): string[] => Array.from({ length: count }, (_, number) => `u${number}`);
const good = linear('f').add(
  task('a', () => 'é', { provides: 'x' }),
  task('b', () => 2),
);
const bad = linear('f').add(task('a', () => Promise.reject(new Error('bad'))));

test('a log that is opened again keeps one line for each run that succeeded, and none for those that were reverted', async () => {
  const path = join(freshFolder(), 'log');
  await runAll(path, good, names(20));
  await runAll(path, bad, ['v', 'w']);
  const log = await openFlowLog(path, quiet, { compactAt: 100 });
  const lines = linesIn(path);
  expect(lines.map(({ uuid, end, result }) => [uuid, end, result])).toEqual(
    names(20).map((uuid) => [uuid, 'SUCCESS', { x: 'é' }]),
  );
  for (const uuid of names(20)) expect(log.take('f', uuid)).toMatchObject({ end: { result: '{"x":"é"}' } });
  expect(log.take('f', 'v')).toBe(undefined);
  await log.close();
  expect(readFileSync(path, 'utf8')).toMatch(/^\{"taskpipe":"flow log","version":1\}\n/);
});

test('a log is compacted while it is written, and continues runs that have not ended', async () => {
  const path = join(freshFolder(), 'log');
  const log = await openFlowLog(path, quiet, { compactAt: 2_000 });
  const open = log.journal('f', 'open');
  open.add({ atom: 'a', state: 'RUNNING' });
  await open.sync();
  let largest = 0;
  for (let round = 0; round < 300; round++) {
    const uuid = `u${round % 4}`; // reverted runs of four tasks, again and again
    await new Engine(bad, { journal: log.journal('f', uuid) }).run();
    await log.end('f', uuid, { state: 'REVERTED' });
    largest = Math.max(largest, statSync(path).size);
  }
  await log.end('f', 'done', { state: 'SUCCESS', result: '1' });
  expect(largest).toBeLessThan(6_000);
  expect(log.take('f', 'done')).toEqual({ end: { state: 'SUCCESS', result: '1', error: undefined } });
  await log.close();
  const again = await openFlowLog(path, quiet);
  expect(again.take('f', 'open')).toMatchObject({ changes: [{ atom: 'a', state: 'RUNNING' }] });
  expect(names(4).map((uuid) => again.take('f', uuid))).toEqual([undefined, undefined, undefined, undefined]);
  await again.close();
});

test('open runs of several flows are kept when a log is compacted while it is written', async () => {
  const path = join(freshFolder(), 'log');
  const log = await openFlowLog(path, quiet, { compactAt: 500 });
  const flows = ['f', 'g'];
  for (const flow of flows) log.journal(flow, 'open').add({ atom: 'a', state: 'RUNNING' });
  for (let round = 0; round < 20; round++) await log.end('f', 'done', { state: 'REVERTED' });
  await log.close();
  expect(linesIn(path).length).toBeLessThan(20);
  const again = await openFlowLog(path, quiet);
  for (const flow of flows)
    expect(again.take(flow, 'open')).toMatchObject({ changes: [{ atom: 'a', state: 'RUNNING' }] });
  await again.close();
});

test('an end of a run that is written while the log is compacted is not lost', async () => {
  const path = join(freshFolder(), 'log');
  const log = await openFlowLog(path, quiet, { compactAt: 1 });
  const all = names(400);
  const workers = Array.from({ length: 20 }, async () => {
    for (let uuid = all.pop(); uuid !== undefined; uuid = all.pop()) {
      log.journal('f', uuid).add({ atom: 'ä', state: 'RUNNING' });
      await log.end('f', uuid, { state: 'SUCCESS', result: JSON.stringify(uuid) });
    }
  });
  await Promise.all(workers);
  const isThere = (from: typeof log, uuid: string): boolean =>
    JSON.stringify(from.take('f', uuid)) ===
    JSON.stringify({ end: { state: 'SUCCESS', result: `"${uuid}"` } });
  expect(names(400).filter((uuid) => !isThere(log, uuid))).toEqual([]);
  await log.close();
  const again = await openFlowLog(path, quiet);
  expect(names(400).filter((uuid) => !isThere(again, uuid))).toEqual([]);
  await again.close();
});

test('a log stays locked and keeps its place when it is compacted, also behind a link', async () => {
  const folder = freshFolder();
  const [file, path] = [join(folder, 'file'), join(folder, 'link')];
  symlinkSync(file, path);
  await runAll(path, good, names(50), 500);
  const log = await openFlowLog(path, quiet, { compactAt: 100 });
  await expect(openFlowLog(file, quiet)).rejects.toMatchObject({ code: 'LOCKED' });
  await log.close();
  expect(linesIn(file)).toHaveLength(50);
  expect(existsSync(`${file}.new`)).toBe(false);
});

test('a log that cannot be compacted keeps growing, with a warning', async () => {
  const path = join(freshFolder(), 'log');
  await runAll(path, good, names(20));
  mkdirSync(`${path}.new`);
  writeFileSync(join(`${path}.new`, 'file'), '');
  const warnings: string[] = [];
  const log = await openFlowLog(path, (message) => warnings.push(message), { compactAt: 100 });
  await log.end('f', 'more', { state: 'SUCCESS', result: '1' });
  await log.close();
  expect(warnings.join()).toMatch(/^cannot compact the flow log .*log.*; it keeps growing$/);
  expect(linesIn(path).at(-1)).toMatchObject({ uuid: 'more', end: 'SUCCESS' });
});

/** Program that runs flows with a log that is compacted all the time, and prints which runs have ended. */
const PROGRAM = `
import { Engine, linear, openFlowLog, task } from '${root}/dist/flow.js';
const log = await openFlowLog(process.argv[2], () => {}, { compactAt: 300 });
const flow = linear('f').add(task('a', () => 1, { provides: 'a' }), task('b', () => 2, { provides: 'b' }));
const runOne = async (uuid) => {
  const { provided } = await new Engine(flow, { journal: log.journal('f', uuid) }).run();
  await log.end('f', uuid, { state: 'SUCCESS', result: JSON.stringify(provided) });
  process.stdout.write(uuid + '\\n');
};
for (let number = 0; ; number += 3) await Promise.all([0, 1, 2].map((more) => runOne('u' + (number + more))));
`;

/**
 * Runs the program, and kills it at one of the changes of the file that it writes to replace the log. Returns the runs
 * that had ended.
 */
async function runAndKill(program: string, path: string, change: number): Promise<string[]> {
  const child = spawn(process.execPath, [program, path], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  let changes = 0;
  const watcher = watch(dirname(path), (_, name) => {
    if (name === `${basename(path)}.new` && ++changes === change) child.kill('SIGKILL');
  });
  let text = '';
  for await (const piece of child.stdout) text += String(piece);
  await ended;
  watcher.close();
  return text.split('\n').slice(0, -1);
}

test('a process that is killed at any moment of a compaction loses no end of a run', async () => {
  const folder = freshFolder();
  const program = join(folder, 'p.mjs');
  writeFileSync(program, PROGRAM);
  let [leftovers, all] = [0, 0];
  for (let round = 1; round <= 30; round++) {
    const path = join(folder, `log${round}`);
    const ended = await runAndKill(program, path, round);
    if (existsSync(`${path}.new`)) leftovers++;
    const log = await openFlowLog(path, quiet, { compactAt: 100 });
    for (const uuid of ended)
      expect(log.take('f', uuid), uuid).toMatchObject({ end: { state: 'SUCCESS', result: '{"a":1,"b":2}' } });
    await log.close();
    all += ended.length;
  }
  expect(all).toBeGreaterThan(100);
  expect(leftovers).toBeGreaterThan(0); // some kills hit a compaction
});
