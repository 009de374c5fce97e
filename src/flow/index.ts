/*
 * taskpipe/flow: tasks that belong together and are reverted together if one of them fails. plan/ checks a flow
 * before it runs, run/ runs it, draw/ draws it. Must not know records or stages.
 */
export {
  type Atom,
  type AtomContext,
  type AtomFunction,
  type Hook,
  type Inputs,
  type Provides,
  type Signature,
  task,
  type Undoing,
} from './atom.ts';
export { DEPTHS, type Decider, type Depth } from './decider.ts';
export { type DrawFormat, draw } from './draw/draw.ts';
export { type FlowLog, type FlowLogOptions, openFlowLog } from './log/flow-log.ts';
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
export type {
  AtomChange,
  AtomRecord,
  DecisionChange,
  FlowChange,
  RestoredChange,
  ResumedChange,
} from './run/atom-storage.ts';
export type { CallTime } from './run/call.ts';
export {
  Engine,
  type EngineKind,
  type EngineOptions,
  type FlowResult,
  run,
} from './run/engine.ts';
export { type FlowEvent, type Listener, Notifier } from './run/notifier.ts';
export type { FlowSnapshot } from './run/snapshot.ts';
export {
  ATOM_TRANSITIONS,
  type AtomKind,
  type AtomState,
  FLOW_TRANSITIONS,
  type FlowState,
  type Intention,
} from './run/states.ts';
export type { Journal } from './run/steps.ts';
