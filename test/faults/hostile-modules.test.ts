import { test } from 'vitest';
import { hostileModules } from './hostile-modules.ts';
import { ours } from './support/program.ts';
import { prove, trials } from './support/report.ts';

/** `HOSTILE_SEED=7 npx vitest run --dir test faults/hostile` tries other modules. */
const seed = Number(process.env.HOSTILE_SEED ?? 20_261_128);

const MODULES = trials(200, 80);

test('each task of a hostile module has one record, and the stage ends, whenever it is stopped', async () => {
  const report = await hostileModules(ours, { modules: MODULES, seed });
  prove('hostile modules and flows x threads x stopped at random', report, {
    modules: MODULES,
    records: MODULES * 2,
  });
}, 900_000);
