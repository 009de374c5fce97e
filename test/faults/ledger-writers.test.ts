import { test } from 'vitest';
import { ledgerWriters } from './ledger-writers.ts';
import { ours } from './support/program.ts';
import { prove, trials } from './support/report.ts';

const KILLS = trials(100, 40);

test('a ledger keeps all that four repeatedly killed writers acknowledged', async () => {
  const report = await ledgerWriters(ours, KILLS);
  prove('four ledger writers killed and restarted', report, {
    kills: KILLS,
    'acknowledged lines': KILLS * 100,
  });
}, 900_000);
