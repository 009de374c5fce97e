import { test } from 'vitest';
import { servers } from './servers.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

test('hostile servers do no harm, and tasks of good servers succeed', async () => {
  prove('the fault HTTP server', await servers(ours, 400), { cases: 150, 'good tasks': 400 });
}, 900_000);
