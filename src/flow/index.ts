/** Flows: tasks that belong together, and that are undone when one of them fails. Imported as `taskpipe/flow`. */

export {
  type Atom,
  type AtomContext,
  type AtomFunction,
  type Inputs,
  type Provides,
  type Signature,
  task,
  type Undoing,
} from './atom.ts';
export { DEPTHS, type Decider, type Depth } from './decider.ts';
export { Engine, type EngineKind, type EngineOptions, type FlowResult, run } from './engine.ts';
export { type FlowLog, openFlowLog } from './log.ts';
export { type FlowEvent, type Listener, Notifier } from './notifier.ts';
export {
  type Flow,
  type FlowOptions,
  graph,
  isFlow,
  type LinkOptions,
  linear,
  type Part,
  type Pattern,
  unordered,
} from './patterns.ts';
export {
  alwaysRevert,
  alwaysRevertAll,
  type Decision,
  forEach,
  type GivingUp,
  type History,
  parameterizedForEach,
  type Retry,
  type RetryOptions,
  type Try,
  times,
} from './retry.ts';
export type { FlowSnapshot } from './snapshot.ts';
export {
  ATOM_TRANSITIONS,
  type AtomKind,
  type AtomState,
  FLOW_TRANSITIONS,
  type FlowState,
} from './states.ts';
export type { Journal } from './steps.ts';
export type { AtomChange, AtomRecord, Change, DecisionChange, Intention, ResumedChange } from './storage.ts';
