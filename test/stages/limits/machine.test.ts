/* Limits of the machine: free memory and load. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runningProcesses, toLoad } from '../../../src/stages/exec/limits/machine/machine-load.ts';
import { freeMemory } from '../../../src/stages/exec/limits/machine/machine-memory.ts';
import { type MachineLimits, MachineRoom } from '../../../src/stages/exec/limits/machine/machine-room.ts';
import { ended, freshFolder, sh, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';

function room(more: Partial<MachineLimits>): { room: MachineRoom; said: string[]; stop: AbortController } {
  const said: string[] = [];
  const stop = new AbortController();
  const info = (message: string): void => void said.push(message);
  const limits = {
    memfree: undefined,
    load: undefined,
    running: () => 0,
    stopping: stop.signal,
    info,
    ...more,
  };
  return { room: new MachineRoom(limits), said, stop };
}

describe('--load', () => {
  test('100% is a process per processor, as in GNU parallel, and 0 is less than one', () => {
    expect(toLoad('100%').most).toBe(availableParallelism());
    expect(toLoad('50%').most).toBe(availableParallelism() / 2);
    expect(toLoad('+2').most).toBe(availableParallelism() + 2);
    expect(toLoad('3.5').most).toBe(3.5);
    expect(toLoad('0').most).toBe(0.01);
    expect(() => toLoad('+50%')).toThrow('must be a number, a percentage');
  });

  test('counts the processes that run now, not the average of a minute, without the one that counts', () => {
    const file = join(freshFolder(), 'loadavg');
    writeFileSync(file, '9.20 8.18 7.12 3/80 11206\n');
    expect(runningProcesses(file)).toBe(2);
  });

  test('starts only as many tasks at once as there is room for', () => {
    let running = 0;
    const { room: machine } = room({
      load: { most: 4, typed: '4' },
      processes: () => 1,
      running: () => running,
    });
    for (; machine.room() === undefined; running++) expect(running).toBeLessThan(4);
    expect(running).toBe(3);
  });

  test('waits while the machine is busy, names the reason, and continues', async () => {
    let count = 5;
    const { room: machine, said } = room({ load: { most: 4, typed: '4' }, processes: () => count });
    const end = performance.now() + 30_000;
    for (let wait = machine.room(); said.length === 0 && performance.now() < end; wait = machine.room())
      await wait;
    expect(said).toEqual(['waiting to start tasks: 5 processes run on this machine (--load 4)']);
    count = 0;
    for (let wait = machine.room(); wait !== undefined && performance.now() < end; wait = machine.room())
      await wait;
    expect(said.at(-1)).toBe('the machine has room again; tasks start');
  });

  test('a stop ends the wait at once', async () => {
    const { room: machine, stop } = room({ load: { most: 1, typed: '1' }, processes: () => 9 });
    const wait = machine.room();
    stop.abort();
    await wait;
    expect(machine.room()).toBeUndefined();
  });
});

describe('--memfree', () => {
  test('waits for memory', () => {
    let free = 100;
    const { room: machine } = room({ memfree: 1000, free: () => free });
    expect(machine.room()).toBeInstanceOf(Promise);
    machine.close();
    free = 2000;
    const { room: other } = room({ memfree: 1000, free: () => free });
    expect(other.room()).toBeUndefined();
  });

  test('counts the cache of files in a cgroup as free, since the kernel can drop it', () => {
    const root = freshFolder();
    mkdirSync(join(root, 'a.slice'));
    writeFileSync(join(root, 'cgroup'), '0::/a.slice\n');
    writeFileSync(join(root, 'a.slice/memory.stat'), 'anon 5\ninactive_file 700\nactive_file 9\n');
    const files = { cgroup: join(root, 'cgroup'), root };
    writeFileSync(join(root, 'a.slice/memory.max'), 'max\n');
    expect(freeMemory(1000, () => 400, files)).toBe(400);
    writeFileSync(join(root, 'a.slice/memory.max'), '2000\n');
    expect(freeMemory(1000, () => 400, files)).toBe(1100);
    expect(freeMemory(300, () => 400, files)).toBe(400);
    expect(freeMemory(1000, () => 400, { cgroup: join(root, 'none'), root })).toBe(400);
  });

  test('a run that needs more memory than there is starts no task, reports why, and a signal ends it with all tasks PENDING', async () => {
    const stage = start('exec task-exec --command true --memfree 100000GB');
    stage.stdin?.write('{"uuid":"a"}\n');
    let said = '';
    stage.stderr?.on('data', (chunk) => {
      said += chunk;
    });
    await until(() => said.includes('waiting to start tasks: '));
    stage.kill('SIGTERM');
    const { stdout, code } = await ended(stage);
    expect(said).toMatch(/of memory are free \(--memfree 98 TB\)/);
    expect(JSON.parse(stdout).run.state).toBe('PENDING');
    expect(code).toBe(143);
  });

  test('a run with room ends as without the options', async () => {
    const { stdout, code } = await sh(`task-exec --command true --memfree 1MB --load 100000%`, {
      input: '{"uuid":"a"}\n{"uuid":"b"}\n',
    });
    expect([stdout.trim().split('\n').length, code]).toEqual([2, 0]);
  });
});
