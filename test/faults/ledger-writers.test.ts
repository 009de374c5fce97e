import { test } from 'vitest';
import { ledgerWriters } from './ledger-writers.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

test('what four writers on one ledger have acknowledged is in it, however often they are killed', async () => {
  const report = await ledgerWriters(ours, 100);
  prove('four ledger writers killed and restarted', report, { kills: 100, 'acknowledged lines': 10_000 });
}, 900_000);
