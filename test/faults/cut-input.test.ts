import { test } from 'vitest';
import { cutInput } from './cut-input.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

test('input cut at any offset keeps the records before the cut and names the cut one', async () => {
  const report = await cutInput(ours, { step: 1, processes: 15 });
  prove('input cut at every offset, into each stage', report, { offsets: 2000, formats: 3, processes: 100 });
}, 900_000);
