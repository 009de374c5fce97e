import { choice, type Option, path, type Values } from '../../core/option.ts';
import type { EngineKind } from '../../flow/engine.ts';

type FlowOptionTable = {
  readonly engine: Option<EngineKind>;
  readonly flowLog: Option<string | undefined>;
};

/** The options that belong to `--flow` alone. */
export const flowOptions: FlowOptionTable = {
  engine: choice(
    'run the atoms of a flow one after the other, or all at once that may',
    ['serial', 'parallel'],
    {
      default: 'serial',
    },
  ),
  flowLog: path('keep which atoms are done in this file, so that a flow that was stopped or killed goes on'),
};

/** What `--flow` is told on the command line. */
export type FlowValues = Values<FlowOptionTable> & { readonly flow: string; readonly jobs: number };
