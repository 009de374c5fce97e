import { test } from 'vitest';
import { ledgerWriters } from './ledger-writers.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

test('a ledger keeps all that four repeatedly killed writers acknowledged', async () => {
  const report = await ledgerWriters(ours, 100);
  prove('four ledger writers killed and restarted', report, { kills: 100, 'acknowledged lines': 10_000 });
}, 900_000);
