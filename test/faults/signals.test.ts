import { test } from 'vitest';
import { signals } from './signals.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

test('a stage ends cleanly on a signal or a closed reader, whatever it is doing', async () => {
  const report = await signals(ours);
  prove('signals x stages x idle, busy, blocked, starting, waiting, looping', report, {
    cells: 84 + 48 + 13,
  });
}, 900_000);
