import type { Failure } from '../../core/record/task.ts';
import type { AtomState, FlowState } from './states.ts';

/** A change of state, as listeners receive it. */
export interface FlowEvent<State extends string = FlowState | AtomState> {
  /** The name of the flow that is run. */
  readonly flow: string;
  /** The name of the atom; absent where it is the flow itself that changed. */
  readonly atom?: string;
  readonly old_state: State;
  readonly state: State;
  /** What the atom gave, with `SUCCESS`. */
  readonly result?: unknown;
  /** Why it failed, with `FAILURE` and `REVERT_FAILURE`. */
  readonly failure?: Failure;
}

/** Receives a change of state. Errors that it throws are ignored: a listener must not harm the run. */
export type Listener<State extends string> = (state: State, event: FlowEvent<State>) => void;

/** Tells listeners of changes of state, in the order in which the listeners came. */
export class Notifier<State extends string> {
  readonly #listeners: { readonly on: State | '*'; readonly listener: Listener<State> }[] = [];

  /** True if there are no listeners, so that no event needs to be made. */
  get isIdle(): boolean {
    return this.#listeners.length === 0;
  }

  /**
   * @param on the state to hear of, or `*` for all
   * @param listener is called once for each change, also where it was registered twice for the same state
   */
  register(on: State | '*', listener: Listener<State>): void {
    if (!this.#listeners.some((one) => one.on === on && one.listener === listener))
      this.#listeners.push({ on, listener });
  }

  /** Takes a listener back. Returns whether it was there. */
  deregister(on: State | '*', listener: Listener<State>): boolean {
    const place = this.#listeners.findIndex((one) => one.on === on && one.listener === listener);
    if (place >= 0) this.#listeners.splice(place, 1);
    return place >= 0;
  }

  /** Tells all who listen to the state. */
  notify(event: FlowEvent<State>): void {
    for (const { on, listener } of [...this.#listeners]) {
      if (on !== '*' && on !== event.state) continue;
      try {
        const given: unknown = listener(event.state, event);
        if (given instanceof Promise) given.catch(() => {}); // an async listener harms no more than another
      } catch {
        // a listener's own trouble
      }
    }
  }
}
