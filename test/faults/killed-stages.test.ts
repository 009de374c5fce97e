import { test } from 'vitest';
import { killedStages } from './killed-stages.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

test('a pipeline that is killed at any moment, in part or whole, comes to the same end when it is run again', async () => {
  const report = await killedStages(ours, 50);
  prove('kill -9 at random moments in a live pipeline: load, exec, save, all; run again to the end', report, {
    load: 50,
    exec: 50,
    save: 50,
    all: 50,
  });
}, 900_000);
