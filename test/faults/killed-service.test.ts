import { test } from 'vitest';
import { killedService } from './killed-service.ts';
import { ours } from './support/program.ts';
import { prove, trials } from './support/report.ts';

const EACH = trials(10, 4);

test('each task that a service accepted ends once, whichever of its processes is killed', async () => {
  const report = await killedService(ours, EACH);
  prove('kill -9 of task-serve, its worker, or both, while clients post tasks', report, {
    service: EACH,
    worker: EACH,
    both: EACH,
    tasks: EACH * 500,
  });
}, 600_000);
