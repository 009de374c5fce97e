/* Last messages of stages in a queue pipe: the queue, not the user, delivers failed and unfinished tasks again. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { needsRedis, startRedis } from '../../support/redis.ts';
import { ended, freshFolder, sh, start } from '../../support/run.ts';

beforeEach(needsRedis);

/** Advice for tasks in files. In a queue pipe it would run tasks twice. */
const FOR_FILES = /task-load|same command again|to run the rest again|without --ledger|--ledger, finished/;
const HINT = 'the queue delivers failed tasks again, or lists them: task-queue dead';

const tasks = (count: number): string =>
  Array.from({ length: count }, (_, i) => `{"uuid":"t${i}","n":${i}}\n`).join('');

async function setUp(count: number) {
  const redis = await startRedis();
  const cwd = freshFolder();
  const at = `${redis.url} --name q`;
  writeFileSync(
    join(cwd, 'work.mjs'),
    `export default async ({ n }) => { if (n % 2) throw new Error('odd'); return n; };`,
  );
  writeFileSync(
    join(cwd, 'slow.mjs'),
    `import { setTimeout } from 'node:timers/promises';
     export default async ({ n }, { signal }) => { if (n > 4) await setTimeout(60_000, 0, { signal }); return n; };`,
  );
  await sh(`task-queue push ${at} --attempts 2 --quiet`, { input: tasks(count) });
  return { at, cwd };
}

test('a message about failed tasks names the queue, and not the rest file', async () => {
  const { at, cwd } = await setUp(4);
  const { stderr } = await sh(
    `task-queue pull ${at} --until-empty | task-exec --module work.mjs --retries 0 | jq -c --unbuffered . | task-save out.ndjson --tee | tee copy | task-queue ack ${at}`,
    { cwd },
  );
  expect(stderr).not.toMatch(FOR_FILES);
  expect(stderr).toContain(`task-save: ${HINT}\n`);
  expect(stderr.split(HINT)).toHaveLength(2); // only task-save prints it
});

test('the message of task-exec names the queue if no stage saves', async () => {
  const { at, cwd } = await setUp(4);
  const { stderr } = await sh(
    `task-queue pull ${at} --until-empty | task-exec --module work.mjs --retries 0 | task-exec --module work.mjs | task-queue ack ${at}`,
    { cwd },
  );
  expect(stderr).not.toMatch(FOR_FILES); // the launcher of the second task-exec moves the ends of the pipe
  expect(stderr).toContain(`task-exec: ${HINT}\n`);
});

test('a message of a stopped pipe says that the queue delivers unfinished tasks again', async () => {
  const { at, cwd } = await setUp(40);
  const pipe = start(
    `setsid bash -c 'echo $$ > group; task-queue pull ${at} --window 20 | task-exec --module slow.mjs -j 20 --grace 100ms | task-save out.csv --tee --flush 1 | task-queue ack ${at}'`,
    { cwd },
  );
  const all = ended(pipe);
  while (
    !existsSync(join(cwd, 'out.csv')) ||
    readFileSync(join(cwd, 'out.csv'), 'utf8').split('\n').length < 7
  )
    await new Promise((resolve) => setTimeout(resolve, 20));
  process.kill(-Number(readFileSync(join(cwd, 'group'), 'utf8')), 'SIGINT');
  const { stderr } = await all;
  expect(stderr).not.toMatch(FOR_FILES);
  expect(stderr).toMatch(
    /task-save: stopped: 5 saved, 1[56] not done; the queue delivers unfinished and failed tasks again\n/,
  );
});

test('a message about a redelivered task that has its row already does not mention ledgers', async () => {
  const { at, cwd } = await setUp(2);
  writeFileSync(join(cwd, 'out.csv'), 'uuid,n\nt0,0\nt1,1\n');
  const { stderr } = await sh(
    `task-queue pull ${at} --until-empty | task-save out.csv --tee | task-queue ack ${at}`,
    { cwd },
  );
  expect(stderr).toMatch(/task-save: saved 0, 2 already there\n/);
  expect(stderr).not.toMatch(FOR_FILES);
});

test('a message about a result without a column has a command that also settles its task in the queue', async () => {
  const { at, cwd } = await setUp(0);
  await sh(`task-queue push ${at} --quiet`, { input: '{"uuid":"a","x":1}\n{"uuid":"b","x":1,"y":2}\n' });
  const { stderr } = await sh(
    `task-queue pull ${at} --until-empty | task-save out.csv --tee | task-queue ack ${at}`,
    { cwd },
  );
  const [, command = ''] = /without doing their work again: (.*)\n/.exec(stderr) ?? [];
  expect(command).toBe(`task-save out.csv --widen --tee < out.csv.rest.ndjson | task-queue ack ${at}`);
  expect((await sh(command, { cwd })).stderr).toMatch(/task-queue: 1 done\n/);
  expect(readFileSync(join(cwd, 'out.csv'), 'utf8')).toBe('uuid,x,y\na,1,\nb,1,2\n');
  expect((await sh(`task-queue size ${at} | jq -c '[.dead, .finished]'`)).stdout).toBe('[0,2]\n');
});

test('a message of a pipe with --tee and no queue still says how to run the rest', async () => {
  const { cwd } = await setUp(0);
  const { stderr } = await sh(
    `task-exec --module work.mjs --retries 0 | task-save out.ndjson --tee | grep -v "task-queue ack"`,
    { cwd, input: tasks(2) },
  );
  expect(stderr).toMatch(/to run the rest again, pipe it into: task-exec/);
});
