import { test } from 'vitest';
import { has } from '../support/run.ts';
import { crashStates } from './crash-states.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

const canTrace = await has('strace');

test.skipIf(!canTrace)(
  'the next run recovers every state that a crash leaves in a commit, merge or recovery (needs strace)',
  async () => {
    prove('crash states', await crashStates(ours), { states: 10_000, 'by the executable': 150 });
  },
  900_000,
);
