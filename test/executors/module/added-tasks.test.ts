import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parsed } from '../../pipes/pipeline.ts';
import { freshFolder, sh, start } from '../../support/run.ts';

/** Runs a module over `{"uuid":"u1","n":1}` etc., one at a time. Returns the `n` of the output, in order. */
async function run(
  code: string,
  count: number,
  options = '',
  cwd = freshFolder(),
): Promise<{ ns: unknown[]; uuids: string[]; stderr: string; cwd: string; code: number | null }> {
  writeFileSync(join(cwd, 'work.mjs'), code);
  const input = Array.from({ length: count }, (_, i) => `{"uuid":"u${i + 1}","n":${i + 1}}\n`).join('');
  const ended = await sh(`task-exec --module work.mjs -j 1 ${options}`, { cwd, input });
  const rows = parsed(ended.stdout);
  return { ...ended, cwd, ns: rows.map(({ n }) => n), uuids: rows.map(({ uuid }) => uuid) };
}

describe('ctx.add', () => {
  test('runs tasks after all others, or before them', async () => {
    const code = `export default ({ n }, { add }) => {
      if (n === 1) { add({ n: 10 }); add({ n: 11 }, { front: true }); add({ n: 12 }, { front: true }); }
    };`;
    const { ns, stderr } = await run(code, 3);
    expect(ns).toEqual([1, 11, 12, 2, 3, 10]);
    expect(stderr).toBe('task-exec: 6 done, 3 added on the way\n');
  });

  test('skips known tasks, by their uuid, by taskId, or by their values', async () => {
    const code = `export const taskId = ({ n }) => 'u' + n;
    export default ({ n }, { add }) => { add({ n: 2 }); add({ n: 7, more: n }); if (n !== 7) add({ uuid: 'u7' }); };`;
    const { uuids, stderr } = await run(code, 2);
    expect(uuids).toEqual(['u1', 'u2', 'u7']);
    expect(stderr).toBe('task-exec: 3 done, 1 added on the way, 7 known already\n');
    const plain = await run('export default (_, { add }) => [add({ n: 3 }), add({ n: 3 })];', 1);
    expect(plain.ns).toEqual([1, 3]);
  });

  test('runs a known task again with again', async () => {
    const code =
      'let times = 0;\nexport default ({ uuid }, { add }) => { if (++times < 3) add({ uuid }, { again: true }); };';
    expect((await run(code, 1)).uuids).toEqual(['u1', 'u1', 'u1']);
  });

  test('discards the tasks of a failed attempt', async () => {
    const code = `export default ({ n }, { add, attempt }) => {
      add({ n: 100 + attempt });
      if (attempt === 1 && n === 1) throw Object.assign(new Error('busy'), { retry: true });
      if (n === 2) throw new Error('no');
    };`;
    const { ns } = await run(code, 2, '--backoff 1ms..2ms --keep-order');
    expect(ns.sort()).toEqual([1, 101, 102, 2]);
  });

  test.each(['add(null)', "add({ uuid: '' })", "add({ uuid: 'u1' })", 'add([1])'])(
    'rejects %s',
    async (call) => {
      const { stderr } = await run(`export default (_, { add }) => { ${call}; };`, 1);
      expect(stderr).toMatch(/^task-exec: 0 done, 1 failed \(ERROR 1\)\n/);
    },
  );

  test('skips tasks that the ledger has, and runs tasks that another run left in the spool', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'l.jsonl'), '{"uuid":"c1","at":""}\n{"uuid":"c2","at":""}\n');
    // The torn end means that the record of its parent was never emitted.
    writeFileSync(join(cwd, 'spool'), '\n{"uuid":"c2","n":1}\n{"uuid":"c3","n":3}\n{"uuid":"c4","n');
    const code =
      "export default ({ uuid }, { add }) => { if (uuid === 'u1') for (const i of [1, 3, 5]) add({ uuid: 'c' + i }); };";
    const { uuids, code: exit } = await run(code, 1, '--spool spool --ledger l.jsonl', cwd);
    expect(uuids).toEqual(['c3', 'u1', 'c5']);
    expect(exit).toBe(0);
    expect(readFileSync(join(cwd, 'spool'), 'utf8')).toMatch(/"c4","n\n\{"uuid":"c5"\}\n$/);
  });

  test('locks its spool against other processes', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'work.mjs'), "console.error('up');\nexport default () => {};");
    const first = start('task-exec --module work.mjs --spool spool', { cwd });
    first.stdin?.write('{"uuid":"a"}\n');
    await new Promise((resolve) => first.stdout?.once('data', resolve)); // its first task has ended, so the spool is open
    const { code, stderr } = await sh('task-exec --module work.mjs --threads 2 --spool spool', { cwd });
    first.stdin?.end();
    expect(code).toBe(75);
    expect(stderr).toContain('spool is being written by another task-exec; name another file with --spool');
  });
});

test('ctx.done removes a waiting task, and a task that is added', async () => {
  const code = `export default ({ n }, { add, done }) => {
    if (n === 1) { done('u3'); done('c1'); add({ uuid: 'c1' }); }
  };`;
  const { uuids, stderr } = await run(code, 4);
  expect(uuids).toEqual(['u1', 'u2', 'u4']);
  expect(stderr).toBe('task-exec: 3 done, 2 known already\n');
});
