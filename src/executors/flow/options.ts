import { choice, path } from '../../core/options/declare.ts';
import type { LibraryOptions, Names } from '../../core/options/library-options.ts';
import type { Option, OptionValues } from '../../core/options/option.ts';
import type { Notify } from '../../core/record/event.ts';

/** Help of `--flow`, after its options. */
export const flowHelp: string = [
  'FILE exports a flow, or a function that returns one for a task. Atoms of the flow take attributes of the record as inputs, by name.',
  'If an atom fails, the finished atoms are reverted, and the record is REVERTED.',
  'With --revert, the flows of records that failed in a later stage are reverted, with the results in --flow-log, else in the record.',
].join('\n');

/** Options of `--flow` alone. */
export const flowOptions = {
  /** Engine that runs the atoms. Default `serial`. */
  engine: choice(
    'run the atoms of a flow one by one, or all that are ready at once',
    ['serial', 'parallel'],
    {
      default: 'serial',
    },
  ),
  /** File that records finished atoms. Default: none; an interrupted flow then starts again. */
  flowLog: path('record finished atoms in this file, so that an interrupted flow is resumed', {
    details:
      'A flow that was stopped or killed continues at the atom where it was; finished atoms do not run again.',
  }),
};

/** Option `--draw`. It is not an option of `flow()`: in a program, `draw()` does the same. */
export const drawOption: Option<'mermaid' | 'dot' | undefined> = choice(
  'write the graph of the flow, for Mermaid or Graphviz, and end; no input is read',
  ['mermaid', 'dot'],
);

/** Options of `flow()` that `--flow` does not have, or that belong to the stage. */
interface OwnFlowOptions {
  /** Number of atoms of one flow that run at once in a parallel engine. Default 10. */
  readonly jobs?: number | undefined;
  /** Timeout of each call of an atom, in milliseconds. Default: none. */
  readonly timeout?: number | undefined;
  /** Signal that suspends flows that are recorded in the log: each ends after its running atoms. */
  readonly stopping?: AbortSignal | undefined;
  /** Writes a message to stderr. */
  readonly info?: ((message: string) => void) | undefined;
  /** Called for every change of state of flows and atoms, and for progress. */
  readonly notify?: Notify | undefined;
  /**
   * True to revert the flows of tasks that failed in a later stage: for a stage with `revert`. With `flowLog`, their
   * results are read from the log, else from the record. Default false.
   */
  readonly revert?: boolean | undefined;
  /** Key of the result in the record, for `revert`. Default `result`. */
  readonly as?: string | undefined;
  /** True to measure the atoms for the report. Default true. */
  readonly measures?: boolean | undefined;
}

/** Names of the options of `OwnFlowOptions`. */
export const OWN_FLOW_OPTIONS: Names<OwnFlowOptions> = {
  jobs: true,
  timeout: true,
  stopping: true,
  info: true,
  notify: true,
  revert: true,
  as: true,
  measures: true,
};

/** Options of the executor for flows. */
export type FlowExecutorOptions = LibraryOptions<typeof flowOptions, OwnFlowOptions>;

/** Values of the options of `--flow`. */
export type FlowValues = OptionValues<typeof flowOptions> & {
  readonly flow: string;
  readonly jobs: number;
  readonly as: string;
};
