import { test } from 'vitest';
import { signals } from './signals.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

test('a stage that is signalled, or whose reader leaves, ends in good order whatever it is doing', async () => {
  const report = await signals(ours);
  prove('signals x stages x idle, busy, blocked', report, { cells: 48 + 4 });
}, 900_000);
