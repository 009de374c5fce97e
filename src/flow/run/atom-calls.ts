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

/** Call that has ended. */
export interface EndedCall {
  readonly index: number;
  readonly isRevert: boolean;
  readonly settled: CallResult;
}

/** Calls of the functions of atoms and retry controllers: `execute` and `revert`, with their hooks. */
export class AtomCalls {
  readonly #storage: Storage;
  readonly #options: CallOptions;
  /** Failures of deciders, by the atom that they decide over. That atom fails too. */
  readonly #refused = new Map<number, Failed>();
  /** Results that are not JSON, which failed their atoms. Their `revert` still gets them. */
  readonly #lost = new Map<number, unknown>();

  constructor(storage: Storage, options: CallOptions) {
    this.#storage = storage;
    this.#options = options;
  }

  /** Lets the next execution of an atom fail without a call. */
  refuse(index: number, why: Failed): void {
    this.#refused.set(index, why);
  }

  /** Forgets refusals and lost results. */
  clear(): void {
    this.#refused.clear();
    this.#lost.clear();
  }

  #atom(index: number): CompiledAtom {
    return this.#storage.compiled.atoms[index] as CompiledAtom;
  }

  /** Executes or reverts an atom, which is RUNNING or REVERTING already. */
  call(index: number, isRevert: boolean, record: AtomRecord): EndedCall | Promise<EndedCall> {
    const { name } = this.#atom(index);
    const { store, onCall } = this.#options;
    const of = { flow: this.#storage.compiled.name, atom: name, state: record.state };
    const context = new CallContext(of, store, record.isRepeated === true, this.#options);
    const began = onCall === undefined ? 0 : performance.now();
    const settled = isRevert ? this.#undo(index, record, context) : this.#execute(index, context);
    const end = (how: CallResult): EndedCall => {
      context.end();
      const checked = isRevert ? how : this.#checked(index, how);
      onCall?.({ atom: name, isRevert, isFailed: 'failure' in checked, ms: performance.now() - began });
      return { index, isRevert, settled: checked };
    };
    return settled instanceof Promise ? settled.then(end) : end(settled);
  }

  /**
   * Turns a result into what its JSON gives, so that it is the same in memory as after a log. Turns one that is
   * not JSON into a failure, while the atom can still be reverted.
   */
  #checked(index: number, settled: CallResult): CallResult {
    if ('failure' in settled) {
      if ('result' in settled) this.#lost.set(index, settled.result);
      return settled;
    }
    const { value } = settled;
    if (value === undefined || typeof value === 'string' || typeof value === 'boolean') return settled;
    const { text, fault } = userJson(value);
    if (fault === undefined) return { value: text === undefined ? undefined : JSON.parse(text) };
    this.#lost.set(index, value);
    return { failure: { code: 'RESULT', message: `its result is not JSON: ${fault}` } };
  }

  #execute(index: number, context: CallContext): CallResult | Promise<CallResult> {
    const refused = this.#refused.get(index);
    this.#refused.delete(index);
    if (refused !== undefined) return refused;
    const compiled = this.#atom(index);
    const { inputs, missing } = gather(this.#storage, compiled, this.#options.store);
    if (missing !== undefined) return { failure: noInput(missing) };
    this.#lost.delete(index);
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
    const result = this.#lost.has(index) ? this.#lost.get(index) : copyOf(record.result);
    const work = (): unknown =>
      atom === undefined
        ? retry?.revert?.(this.#storage.historyOf(index), inputs, { failures }, context)
        : atom.revert?.(inputs, { result, failure, failures }, context);
    return callWithHooks(atom, 'revert', { inputs, work }, context, this.#options);
  }
}

function noInput(name: string): Failure {
  return {
    code: 'INPUT',
    message: `its input "${name}" is nowhere: what provides it was left out, or did not give it`,
  };
}
