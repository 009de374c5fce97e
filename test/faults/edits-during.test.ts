import { test } from 'vitest';
import { editsDuring } from './edits-during.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

test('a run detects a file that is edited, replaced or removed, and the next run completes it', async () => {
  const report = await editsDuring(ours);
  prove('files edited, replaced or removed during a run', report, { runs: 150, edits: 25 });
}, 900_000);
