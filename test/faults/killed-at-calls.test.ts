import { describe, test } from 'vitest';
import { killedAtCalls } from './killed-at-calls.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';
import { canTrace } from './support/strace.ts';

describe.skipIf(!canTrace)('task-save killed at a system call (needs strace)', () => {
  test('is completed by the next run, with each row once and an exact rest file', async () => {
    const report = await killedAtCalls(ours);
    prove(
      '`strace -e inject` kills `task-save` at every write, fdatasync, ftruncate, rename, and again in recovery',
      report,
      { kills: 200 },
    );
  }, 900_000);
});
