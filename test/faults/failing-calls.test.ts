import { afterAll, describe, expect, test } from 'vitest';
import { failingCalls, interruptedCalls } from './failing-calls.ts';
import { fullDevices, unheardWords } from './full-devices.ts';
import { fullDisks, limitedFiles, mounts } from './full-disks.ts';
import { ours } from './support/program.ts';
import { prove, type Report } from './support/report.ts';
import { canTrace } from './support/strace.ts';

/** Reports of all trials. They share one row of the table. */
const reports: Report[] = [];

function check(report: Report, figure: string, least: number): void {
  reports.push(report);
  expect(report.breaches).toEqual([]);
  expect(report.figures[figure]).toBeGreaterThanOrEqual(least);
}

afterAll(() =>
  prove(
    '`inject … error=ENOSPC` and `EIO`, a 64 KB tmpfs, `/dev/full`, `ulimit -f`',
    {
      figures: Object.assign({}, ...reports.map(({ figures }) => figures)),
      breaches: reports.flatMap(({ breaches }) => breaches),
    },
    {},
  ),
);

describe.skipIf(!canTrace)('a failing system call of task-save (needs strace)', () => {
  test('ends it with 74 and the cause, marks only safe rows, and costs nothing in the next run', async () => {
    check(await failingCalls(ours), 'failures', 150);
  }, 900_000);

  test('has no effect if it is only interrupted', async () => {
    check(await interruptedCalls(ours), 'interrupted', 4);
  }, 900_000);
});

describe.skipIf(mounts === undefined)('a file system of 64 KB (needs unshare and mount)', () => {
  test('ends task-save with 74 when it is full, and the next run completes it with more room', async () => {
    check(await fullDisks(ours), 'disks', 8);
  }, 900_000);
});

test('a file at its size limit ends task-save with 74, and the next run completes it without the limit', async () => {
  check(await limitedFiles(ours), 'limits', 15);
}, 900_000);

test('a command that writes to /dev/full ends with 74, and an output that is not a file is rejected', async () => {
  check(await fullDevices(ours), 'commands', 20);
}, 900_000);

test('messages that cannot be written change neither the records nor the exit code', async () => {
  check(await unheardWords(ours), 'unheard', 24);
}, 900_000);
