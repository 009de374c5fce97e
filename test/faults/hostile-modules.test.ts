import { test } from 'vitest';
import { hostileModules } from './hostile-modules.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

/** `HOSTILE_SEED=7 npx vitest run --dir test faults/hostile` tries other modules. */
const seed = Number(process.env.HOSTILE_SEED ?? 20_261_128);

test('each task of a hostile module gives one record, and the stage ends, whenever it is stopped', async () => {
  const report = await hostileModules(ours, { modules: 200, seed });
  prove('hostile modules and flows x threads x stopped at random', report, { modules: 200, records: 500 });
}, 900_000);
