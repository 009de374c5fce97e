import { describe, test } from 'vitest';
import { killedAtCalls } from './killed-at-calls.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';
import { canTrace } from './support/strace.ts';

describe.skipIf(!canTrace)('task-save killed at a system call (needs strace)', () => {
  test('leaves what the next run completes: each row once, the rest file exact, whichever call it was', async () => {
    const report = await killedAtCalls(ours);
    prove(
      '`strace -e inject` kills `task-save` at every write, fdatasync, ftruncate, rename, and again in recovery',
      report,
      { kills: 200 },
    );
  }, 900_000);
});
