import { test } from 'vitest';
import { fuzzedLines } from './fuzzed-lines.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

test('each of a million hostile lines is processed or rejected with its place, in flat memory', async () => {
  const report = await fuzzedLines(ours, { lines: 150_000, seed: 20_260_101 });
  prove('fuzzed lines into load, exec, save, done', report, { lines: 1_000_000 });
}, 900_000);
