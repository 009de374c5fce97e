import { test } from 'vitest';
import { lateReader } from './late-reader.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

test('a late reader gets everything that was written to a full pipe', async () => {
  prove('a reader that begins when the pipe is full', await lateReader(ours), { stages: 4 });
}, 900_000);
