/* Whole pipes on NATS, whose stages and server are killed. */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { openQueues, type Queue } from '../../../src/queues/index.ts';
import { needsNats, startNats } from '../../support/nats.ts';
import { type Ended, ended, freshFolder, sh, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';

beforeEach(needsNats);

const TASKS = 1200;

/** A running pipe, whose stages write their process ids. */
interface Pipe {
  readonly end: Promise<Ended>;
  readonly child: ChildProcess;
  /** Kills a stage once it runs, and lets a held pipe go on. */
  kill(stage: 'pull' | 'exec' | 'ack'): Promise<void>;
}

/** Work of the pipes. A held pipe stops after some tasks until a stage of it is killed: it must not end before. */
const WORK = `
import { existsSync } from 'node:fs';
const sleep = () => new Promise((end) => setTimeout(end, 10));
let count = 0;
export default async ({ uuid }) => {
  await sleep();
  if (++count > 100) while (!existsSync(process.env.OPEN)) await sleep();
  return uuid.length;
};
`;

/** Starts a pipe. One that is not held has a long lease. */
function startPipe(url: string, folder: string, output: string, isHeld = true): Pipe {
  const lease = isHeld ? '1s' : '10s';
  const stage = (name: string, command: string): string =>
    `(echo $BASHPID > ${output}.${name}; exec ${command})`;
  const child = start(
    [
      stage(
        'pull',
        `task-queue pull ${url} --name q --until-empty --window 40 --lease ${lease} --worker ${output}`,
      ),
      stage('exec', 'task-exec --module work.mjs -j 4'),
      `task-save ${output}.csv --fields uuid,result --flush 5 --tee`,
      stage('ack', `task-queue ack ${url} --name q --worker ${output}`),
    ].join(' | '),
    { cwd: folder, env: { OPEN: isHeld ? `${output}.open` : '.' } },
  );
  const kill = async (name: 'pull' | 'exec' | 'ack'): Promise<void> => {
    const id = join(folder, `${output}.${name}`);
    await until(() => existsSync(id) && readFileSync(id, 'utf8').endsWith('\n'));
    process.kill(Number(readFileSync(id, 'utf8')), 'SIGKILL');
    writeFileSync(join(folder, `${output}.open`), '');
  };
  return { child, end: ended(child), kill };
}

/** Returns the uuids in an output. */
function rows(folder: string, output: string): string[] {
  const lines = readFileSync(join(folder, `${output}.csv`), 'utf8')
    .trim()
    .split('\n')
    .slice(1);
  return lines.map((line) => line.split(',')[0] as string);
}

test('each task is done once in the end, although pull, exec, ack and the server are killed', async () => {
  const nats = await startNats();
  const folder = freshFolder();
  const uuids = Array.from({ length: TASKS }, (_, i) => `t${i}`);
  writeFileSync(join(folder, 'work.mjs'), WORK);
  const input = uuids.map((uuid) => `{"uuid":"${uuid}"}\n`).join('');
  expect((await sh(`task-queue push ${nats.url} --name q`, { input })).stderr).toMatch(/1,200 added/);
  const queues = await openQueues(nats.url, ['q'], { env: {} });
  const queue = queues.all[0] as Queue;
  /** Starts pipes, and waits until they have finished some tasks. */
  const working = async (count: number, begin: () => readonly Pipe[]): Promise<readonly Pipe[]> => {
    const { finished } = await queue.size();
    const pipes = begin();
    await until(async () => (await queue.size()).finished >= finished + count);
    return pipes;
  };
  const held = async (output: string): Promise<Pipe> =>
    (await working(20, () => [startPipe(nats.url, folder, output)]))[0] as Pipe;

  const first = await held('m1');
  await first.kill('pull');
  await first.end;
  const second = await held('m2');
  await second.kill('exec');
  await second.end;
  const mute = await held('m5');
  await mute.kill('ack');
  await mute.kill('pull'); // which would wait for another ack
  await mute.end;
  const last = await working(60, () => ['m3', 'm4'].map((name) => startPipe(nats.url, folder, name, false)));
  await nats.kill();
  await nats.start();
  const ends = await Promise.all(last.map(({ end }) => end));
  expect(ends.map(({ code }) => code)).toEqual([0, 0]);

  const { waiting, delayed, active, dead, finished: all } = await queue.size();
  expect([waiting, delayed, active, dead, all]).toEqual([0, 0, 0, 0, TASKS]);
  const outputs = ['m1', 'm2', 'm5', 'm3', 'm4'].map((output) => rows(folder, output));
  expect([...new Set(outputs.flat())].sort()).toEqual([...uuids].sort());
  // No process died in the last two pipes: nothing was done twice there.
  const lastRows = outputs.slice(3).flat();
  expect(new Set(lastRows).size).toBe(lastRows.length);
  expect((await sh(`task-queue push ${nats.url} --name q`, { input })).stderr).toMatch(
    /0 added, 1,200 finished already/,
  );
  queues.close();
  await nats.kill();
});

test('a stopped pipe puts its tasks back, and they come first', async () => {
  const nats = await startNats();
  const folder = freshFolder();
  const at = `${nats.url} --name q`;
  const input = ['a', 'b', 'c'].map((uuid) => `{"uuid":"${uuid}"}\n`).join('');
  await sh(`task-queue push ${at}`, { input });
  const queues = await openQueues(nats.url, ['q'], { env: {} });
  const queue = queues.all[0] as Queue;
  const pull = start(`exec task-queue pull ${at} --window 2 --worker w`, { cwd: folder });
  const end = ended(pull);
  await until(async () => (await queue.size()).active === 2);
  pull.kill('SIGINT');
  pull.kill('SIGINT');
  await until(async () => {
    pull.kill('SIGINT'); // a later signal gives up the tasks in flight
    return (await queue.size()).active === 0;
  });
  expect((await end).stdout).toBe('{"uuid":"a"}\n{"uuid":"b"}\n');
  const consumer = await queue.consume({ worker: 'v', lease: 30_000 });
  let taken: readonly string[] = [];
  await until(async () => {
    taken = [...taken, ...(await consumer.take(3)).map(({ uuid }) => uuid)];
    return taken.length === 3;
  });
  expect(taken).toEqual(['a', 'b', 'c']);
  queues.close();
  await nats.kill();
});
