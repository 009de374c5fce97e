import { test } from 'vitest';
import { has } from '../support/run.ts';
import { crashStates } from './crash-states.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

const canTrace = await has('strace');

test.skipIf(!canTrace)(
  'every state that a crash can leave of a commit, a merge or a recovery is recovered from (needs strace)',
  async () => {
    prove('crash states', await crashStates(ours), { states: 10_000, 'by the executable': 150 });
  },
  900_000,
);
