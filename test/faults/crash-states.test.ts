import { test } from 'vitest';
import { has } from '../support/run.ts';
import { crashStates } from './crash-states.ts';
import { ours } from './support/program.ts';
import { prove, trials } from './support/report.ts';

const canTrace = await has('strace');

test.skipIf(!canTrace)(
  'the next run recovers every state that a crash leaves in a commit, merge or recovery (needs strace)',
  async () => {
    const report = await crashStates(ours, { step: trials(1, 4) });
    prove('crash states', report, { states: trials(10_000, 2500), 'by the executable': trials(150, 40) });
  },
  900_000,
);
