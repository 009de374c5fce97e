import { beforeEach, test } from 'vitest';
import { needsPostgres, startPostgres } from '../support/postgres.ts';
import { failingServer, killedSaves } from './postgres-faults.ts';
import { notes } from './support/live.ts';
import { prove, trials } from './support/report.ts';

beforeEach(needsPostgres);

const KILLS = trials(50, 4);
const FAILURES = trials(10, 1);

test('saves to PostgreSQL keep every row and mark, although they or their server are killed', async () => {
  const server = await startPostgres();
  const report = notes();
  await killedSaves(server, KILLS, report);
  const times = {
    'servers killed': trials(50, 3),
    ...{ 'servers stopped': FAILURES, 'sessions cut': trials(20, 3) },
    ...{ 'tables locked': FAILURES, 'times read-only': FAILURES },
  };
  await failingServer(server, times, report);
  prove(
    'kill -9 of saves to PostgreSQL and of their server, which is also stopped, cut off, locked and read-only',
    report,
    { 'saves killed': KILLS, ...times },
  );
}, 900_000);
