import { test } from 'vitest';
import { hugeLines } from './huge-lines.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

test('a line of a gigabyte and a million levels of nesting are rejected with their place, in bounded memory', async () => {
  prove('lines of 1 GB, nesting of 1,000,000 levels', await hugeLines(ours, { megabytes: 1024 }), {
    trials: 19,
    megabytes: 1024,
  });
}, 900_000);
