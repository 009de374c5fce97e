/* Verdicts on tasks that a queue does not know, as with the wrong --name. */
import { beforeEach, expect, test } from 'vitest';
import { drain, push, size, tasks } from '../../queues/commands.ts';
import { needsRedis, startRedis } from '../../support/redis.ts';
import { sh } from '../../support/run.ts';

beforeEach(needsRedis);

test('ack names tasks that were pulled from another queue, and does not mark them as finished', async () => {
  const { url } = await startRedis();
  const uuids = Array.from({ length: 20 }, (_, i) => `t${i}`);
  await push(`${url} --name right`, tasks(...uuids));
  const input = `${tasks(...uuids.slice(3))}t0\n{"uuid":"t1","run":{"state":"odd"}}\n{"uuid":"t2","run":{"state":"PENDING"}}\n`;
  const { code, stderr } = await sh(`task-queue ack ${url} --name wrong`, { input });
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^task-queue: 0 done\ntask-queue: 20 tasks are not in queue wrong, and not finished there: t3, t4, t5, t6, t7, …; .*--name/,
  );
  expect(await size(`${url} --name wrong`, '.waiting, .finished')).toBe('[0,0]');
  await push(`${url} --name wrong`, tasks(...uuids));
  expect(await size(`${url} --name wrong`, '.waiting, .finished')).toBe('[20,0]');
});

test('ack does not mark a task as finished that was removed while a worker had it', async () => {
  const { url } = await startRedis();
  const at = `${url} --name q`;
  await push(at, tasks('a', 'b'));
  const pipe = `task-queue pull ${at} --window 2 --until-empty --quiet | (read -r one; task-queue clear ${at} --yes --quiet; echo "$one"; cat) | task-queue ack ${at}`;
  const { code, stderr } = await sh(pipe);
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/0 done\n.*: 2 tasks are not in queue q, .*: a, b; nothing was changed for them/),
  ]);
  await push(at, tasks('a', 'b'));
  expect(await drain(at)).toBe(tasks('a', 'b'));
});

test('ack of several queues finds the one in which a task is finished', async () => {
  const { url } = await startRedis();
  await push(`${url} --name two`, tasks('a'));
  expect(await drain(`${url} --name two`)).toBe(tasks('a'));
  const { code, stderr } = await sh(`task-queue ack ${url} --name one --name two`, { input: 'a\nb\n' });
  expect([code, stderr]).toEqual([
    1,
    expect.stringMatching(/ 0 done, 1 settled before, .*\n.*: 1 task is not in queue one, two, .*: b; /),
  ]);
  expect(await size(`${url} --name one`, '.finished')).toBe('[0]');
});
