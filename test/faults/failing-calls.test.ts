import { afterAll, describe, expect, test } from 'vitest';
import { failingCalls, interruptedCalls } from './failing-calls.ts';
import { fullDevices, unheardWords } from './full-devices.ts';
import { fullDisks, limitedFiles, mounts } from './full-disks.ts';
import { ours } from './support/program.ts';
import { prove, type Report } from './support/report.ts';
import { canTrace } from './support/strace.ts';

/** What was tried: one line of the table. */
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

describe.skipIf(!canTrace)('a system call of task-save that fails (needs strace)', () => {
  test('ends it with 74 and the cause, marks nothing that is not safe, and costs nothing in the next run', async () => {
    check(await failingCalls(ours), 'failures', 150);
  }, 900_000);

  test('is not noticed where it was only interrupted', async () => {
    check(await interruptedCalls(ours), 'interrupted', 4);
  }, 900_000);
});

describe.skipIf(mounts === undefined)('a file system of 64 KB (needs unshare and mount)', () => {
  test('that gets full at any moment ends task-save with 74, and with room the next run completes it', async () => {
    check(await fullDisks(ours), 'disks', 8);
  }, 900_000);
});

test('a file that reaches its limit at any block ends task-save with 74, and without it the next run completes it', async () => {
  check(await limitedFiles(ours), 'limits', 15);
}, 900_000);

test('/dev/full is an error with 74 wherever a command writes, and what is no file is refused', async () => {
  check(await fullDevices(ours), 'commands', 20);
}, 900_000);

test('words that nobody hears change neither the records nor the exit code', async () => {
  check(await unheardWords(ours), 'unheard', 24);
}, 900_000);
