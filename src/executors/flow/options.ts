import { choice, path } from '../../core/options/declare.ts';
import type { Option, OptionValues } from '../../core/options/option.ts';
import type { EngineKind } from '../../flow/run/engine.ts';

type FlowOptionTable = {
  readonly engine: Option<EngineKind>;
  readonly flowLog: Option<string | undefined>;
};

/** Help of `--flow`, after its options. */
export const flowHelp: string = [
  'FILE exports a flow, or a function that returns one for a task. Atoms of the flow take attributes of the record as inputs, by name.',
  'If an atom fails, the finished atoms are reverted, and the record is REVERTED.',
].join('\n');

/** Options of `--flow` alone. */
export const flowOptions: FlowOptionTable = {
  engine: choice(
    'run the atoms of a flow one by one, or all that are ready at once',
    ['serial', 'parallel'],
    {
      default: 'serial',
    },
  ),
  flowLog: path('record finished atoms in this file, so that an interrupted flow is resumed', {
    details:
      'A flow that was stopped or killed continues at the atom where it was; finished atoms do not run again.',
  }),
};

/** Values of the options of `--flow`. */
export type FlowValues = OptionValues<FlowOptionTable> & { readonly flow: string; readonly jobs: number };
