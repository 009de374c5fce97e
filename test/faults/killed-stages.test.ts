import { test } from 'vitest';
import { killedStages } from './killed-stages.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

test('a pipeline killed at any moment, in part or whole, reaches the same result when it runs again', async () => {
  const report = await killedStages(ours, 50);
  prove('kill -9 at random moments in a live pipeline: load, exec, save, all; run again to the end', report, {
    load: 50,
    exec: 50,
    save: 50,
    all: 50,
  });
}, 900_000);
