import { userJson } from '../../core/base/user-json.ts';
import type { Failure } from '../../core/record/task.ts';
import type { Inputs } from '../atom.ts';
import type { CompiledAtom } from '../plan/compile.ts';
import type { AtomRecord, Storage } from './atom-storage.ts';
import { CallContext, type CallLimits, type CallResult, type CallTime, type Failed } from './call.ts';
import { callWithHooks, undoes } from './hooks.ts';
import { copyOf, gather } from './inputs.ts';
import type { Notifier } from './notifier.ts';
import type { AtomState } from './states.ts';

export interface CallOptions extends CallLimits {
  readonly store: Inputs;
  readonly notifier: Notifier<AtomState, 'PROGRESS'>;
  readonly onCall: ((call: CallTime) => void) | undefined;
}

export interface EndedCall {
  readonly index: number;
  readonly isRevert: boolean;
  readonly settled: CallResult;
}

/** Call that is under way. */
interface BegunCall {
  readonly index: number;
  readonly isRevert: boolean;
  /** Time of its begin, by `performance.now()`; 0 if calls are not measured. */
  readonly began: number;
}

/** Calls of the functions of atoms and retry controllers: `execute` and `revert`, with their hooks. */
export class AtomCalls {
  readonly #storage: Storage;
  readonly #options: CallOptions;
  /** Failures of deciders, by their atom, which then fails too. */
  #refused: Map<number, Failed> | undefined;
  /** Results that are not JSON, which failed their atoms. Their `revert` still gets them. */
  #lost: Map<number, unknown> | undefined;

  constructor(storage: Storage, options: CallOptions) {
    this.#storage = storage;
    this.#options = options;
  }

  /** Makes the next execution of an atom fail without a call. */
  refuse(index: number, why: Failed): void {
    this.#refused ??= new Map();
    this.#refused.set(index, why);
  }

  /** Forgets refusals and lost results. */
  clear(): void {
    this.#refused = undefined;
    this.#lost = undefined;
  }

  #atom(index: number): CompiledAtom {
    return this.#storage.compiled.atoms[index] as CompiledAtom;
  }

  /** Executes or reverts an atom, which is RUNNING or REVERTING already. */
  call(index: number): EndedCall | Promise<EndedCall> {
    const record = this.#storage.record(index);
    const isRevert = record.state === 'REVERTING';
    const { store, onCall } = this.#options;
    const of = { flow: this.#storage.compiled.name, atom: this.#atom(index).name, state: record.state };
    const context = new CallContext(of, store, record.isRepeated === true, this.#options);
    const began = onCall === undefined ? 0 : performance.now();
    const call = { index, isRevert, began };
    const settled = isRevert ? this.#undo(index, record, context) : this.#execute(index, context);
    return settled instanceof Promise
      ? this.#later(call, context, settled)
      : this.#end(call, context, settled);
  }

  #later(call: BegunCall, context: CallContext, settled: Promise<CallResult>): Promise<EndedCall> {
    return settled.then((how) => this.#end(call, context, how));
  }

  #end({ index, isRevert, began }: BegunCall, context: CallContext, how: CallResult): EndedCall {
    context.end();
    const settled = isRevert ? how : this.#checked(index, how);
    const { onCall } = this.#options;
    const isFailed = 'failure' in settled;
    onCall?.({ atom: context.atom, isRevert, isFailed, ms: performance.now() - began });
    return { index, isRevert, settled };
  }

  /**
   * Replaces a result with the value of its JSON, so that it is the same in memory as when read from a log. Turns a
   * result that is not JSON into a failure, while the atom can still be reverted.
   */
  #checked(index: number, settled: CallResult): CallResult {
    if ('failure' in settled) {
      if ('result' in settled) this.#lose(index, settled.result);
      return settled;
    }
    const { value } = settled;
    if (isKept(value)) return settled;
    const { text, fault } = userJson(value);
    if (fault === undefined) return { value: text === undefined ? undefined : JSON.parse(text) };
    this.#lose(index, value);
    return { failure: { code: 'RESULT', message: `its result is not JSON: ${fault}` } };
  }

  #lose(index: number, result: unknown): void {
    this.#lost ??= new Map();
    this.#lost.set(index, result);
  }

  #execute(index: number, context: CallContext): CallResult | Promise<CallResult> {
    const refused = this.#refused?.get(index);
    this.#refused?.delete(index);
    if (refused !== undefined) return refused;
    const compiled = this.#atom(index);
    const { inputs, missing } = gather(this.#storage, compiled, this.#options.store);
    if (missing !== undefined) return { failure: noInput(missing) };
    this.#lost?.delete(index);
    const { atom, retry } = compiled;
    const work = (): unknown =>
      atom === undefined
        ? retry?.execute?.(this.#storage.historyOf(index), inputs, context)
        : atom.execute(inputs, context);
    return callWithHooks(atom, 'execute', { inputs, work }, context, this.#options);
  }

  #undo(index: number, record: AtomRecord, context: CallContext): CallResult | Promise<CallResult> {
    const compiled = this.#atom(index);
    const { atom, retry } = compiled;
    if (!undoes(compiled)) return { value: undefined };
    const { inputs, missing } = gather(this.#storage, compiled, this.#options.store, true);
    if (missing !== undefined) return { failure: noInput(missing) };
    const { failures } = this.#storage;
    const { failure } = record;
    const result = this.#lost?.has(index) ? this.#lost.get(index) : copyOf(record.result);
    const work = (): unknown =>
      atom === undefined
        ? retry?.revert?.(this.#storage.historyOf(index), inputs, { failures }, context)
        : atom.revert?.(inputs, { result, failure, failures }, context);
    return callWithHooks(atom, 'revert', { inputs, work }, context, this.#options);
  }
}

/** Returns true if a value is certain to survive a round trip through JSON unchanged, by a quick check. */
function isKept(value: unknown): boolean {
  const type = typeof value;
  if (type === 'number') return Number.isFinite(value) && value !== 0; // JSON turns -0 into 0
  return type === 'undefined' || type === 'string' || type === 'boolean';
}

function noInput(name: string): Failure {
  return {
    code: 'INPUT',
    message: `its input "${name}" is not available: its provider was left out, or did not return it`,
  };
}
