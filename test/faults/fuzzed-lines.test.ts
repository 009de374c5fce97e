import { test } from 'vitest';
import { fuzzedLines } from './fuzzed-lines.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

test('of a million hostile lines each is done or rejected with its place, and memory stays flat', async () => {
  const report = await fuzzedLines(ours, { lines: 150_000, seed: 20_260_101 });
  prove('fuzzed lines into load, exec, save, done', report, { lines: 1_000_000 });
}, 900_000);
