import { beforeEach, test } from 'vitest';
import { needsPostgres } from '../support/postgres.ts';
import { queueDatabase } from './queue-database.ts';
import { ours } from './support/program.ts';
import { prove, trials } from './support/report.ts';

beforeEach(needsPostgres);

const EACH = trials(15, 1);

test('machines that share a queue in PostgreSQL lose no task when a process or the server is killed', async () => {
  const report = await queueDatabase(ours, EACH);
  prove(
    'machines that share a queue in PostgreSQL: kill -9 of a stage, and a server that goes away',
    report,
    {
      ...{ pull: EACH, exec: EACH, save: EACH, ack: EACH },
      ...{ 'server killed': EACH, 'server away for longer than a lease': EACH, 'server frozen': EACH },
    },
  );
}, 900_000);
