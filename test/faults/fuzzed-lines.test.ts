import { test } from 'vitest';
import { fuzzedLines } from './fuzzed-lines.ts';
import { ours } from './support/program.ts';
import { prove, trials } from './support/report.ts';

/** Lines for each filter. */
const LINES = trials(150_000, 40_000);

test('each of many hostile lines is processed or rejected with its place, in flat memory', async () => {
  const report = await fuzzedLines(ours, { lines: LINES, seed: 20_260_101 });
  prove('fuzzed lines into load, exec, save, done', report, { lines: LINES * 6 });
}, 900_000);
