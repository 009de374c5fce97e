import { test } from 'vitest';
import { risingLatency } from './rising-latency.ts';
import { prove, trials } from './support/report.ts';

test('--adaptive comes near the best fixed rate of a server whose latency rises with load, with few errors', async () => {
  const fixed = [12, 8, 16, 24].slice(0, trials(4, 1));
  // A short run reaches less on the whole: it begins with 2 requests at once.
  const report = await risingLatency(trials(4000, 300), fixed, trials(80, 50));
  prove('a server whose latency rises with load, under --adaptive', report, { tasks: 300 });
}, 900_000);
