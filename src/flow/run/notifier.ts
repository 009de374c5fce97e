import type { Failure } from '../../core/record/task.ts';
import type { AtomState, FlowState } from './states.ts';

/** Change of state, as listeners receive it. */
export interface FlowEvent<State extends string = FlowState | AtomState> {
  /** Name of the flow that is run. */
  readonly flow: string;
  /** Name of the atom; absent if the flow itself changed. */
  readonly atom?: string;
  readonly old_state: State;
  readonly state: State;
  /** Result of the atom, with `SUCCESS`. */
  readonly result?: unknown;
  /** Failure of the atom, with `FAILURE` and `REVERT_FAILURE`; of the first atom that failed, with `FAILURE` of a flow. */
  readonly failure?: Failure;
  /** Value that was thrown, with its stack and causes; absent if the engine itself failed the atom. */
  readonly error?: unknown;
  /** Part of the work that is done, from 0 to 1: only for listeners to `PROGRESS`. The state does not change then. */
  readonly progress?: number;
}

/** Function that receives a change of state. Its errors are ignored: a listener must not harm the run. */
export type Listener<State extends string> = (state: State, event: FlowEvent<State>) => void;

/** Notifier of state changes. It calls listeners in the order in which they registered. */
export class Notifier<State extends string, Extra extends string = never> {
  readonly #listeners: { readonly on: State | Extra | '*'; readonly listener: Listener<State> }[] = [];

  /** True if there are no listeners, so that no event needs to be made. */
  get isIdle(): boolean {
    return this.#listeners.length === 0;
  }

  /**
   * @param on state to listen for, `*` for all states, or `PROGRESS` for the progress of atoms
   * @param listener called once for each change, even if it is registered twice for the same state
   */
  register(on: State | Extra | '*', listener: Listener<State>): void {
    if (!this.#listeners.some((one) => one.on === on && one.listener === listener))
      this.#listeners.push({ on, listener });
  }

  /** Removes a listener. Returns true if it was registered. */
  deregister(on: State | Extra | '*', listener: Listener<State>): boolean {
    const place = this.#listeners.findIndex((one) => one.on === on && one.listener === listener);
    if (place >= 0) this.#listeners.splice(place, 1);
    return place >= 0;
  }

  /**
   * Calls all listeners of the event's state.
   * @param what `PROGRESS` if the state did not change: listeners to states are not called then
   */
  notify(event: FlowEvent<State>, what?: Extra): void {
    for (const { on, listener } of [...this.#listeners]) {
      if (what === undefined ? on !== '*' && on !== event.state : on !== what) continue;
      try {
        const given: unknown = listener(event.state, event);
        if (given instanceof Promise) given.catch(() => {}); // a rejection must not harm the run either
      } catch {
        // an error of a listener must not harm the run
      }
    }
  }
}
