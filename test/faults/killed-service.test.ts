import { test } from 'vitest';
import { killedService } from './killed-service.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

test('each task that a service accepted ends once, whichever of its processes is killed', async () => {
  const report = await killedService(ours, 10);
  prove('kill -9 of task-serve, its worker, or both, while clients post tasks', report, {
    service: 10,
    worker: 10,
    both: 10,
    tasks: 5000,
  });
}, 600_000);
