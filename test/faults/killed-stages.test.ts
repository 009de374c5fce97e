import { test } from 'vitest';
import { killedStages } from './killed-stages.ts';
import { ours } from './support/program.ts';
import { prove, trials } from './support/report.ts';

const EACH = trials(50, 12);

test('a pipeline killed at any moment, in part or whole, reaches the same result when it runs again', async () => {
  const report = await killedStages(ours, EACH);
  prove('kill -9 at random moments in a live pipeline: load, exec, save, all; run again to the end', report, {
    load: EACH,
    exec: EACH,
    save: EACH,
    all: EACH,
  });
}, 900_000);
