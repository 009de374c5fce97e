/* Flows that tell what is done in them, in the words of the recorded traces. */
import {
  type Atom,
  Engine,
  type EngineOptions,
  type Flow,
  type FlowResult,
  type Inputs,
} from '../../src/flow/index.ts';

/** What was done, in order. */
export interface Trace {
  /** `atom OLD>NEW`, `call atom {inputs}`, `revert atom`. */
  readonly atoms: string[];
  /** `OLD>NEW` of the flow. */
  readonly flow: string[];
  /** Both, the flow's with `flow` in front. */
  readonly all: string[];
}

export function newTrace(): Trace {
  return { atoms: [], flow: [], all: [] };
}

/** What an atom of a test does. */
export interface Behaviour extends Omit<Atom, 'name' | 'execute' | 'revert'> {
  /** Fails the first so many times. */
  readonly failures?: number;
  readonly revertFails?: boolean;
  /** What it gives. Default: its name and `!`. */
  readonly gives?: unknown;
  /** Ends its work after so many turns of the event loop. Default: at once. */
  readonly turns?: number;
}

async function turn(turns: number): Promise<void> {
  for (let left = turns; left > 0; left--) await new Promise(setImmediate);
}

/** An atom that tells of its calls. */
export function atom(
  trace: Trace,
  name: string,
  { failures = 0, revertFails = false, gives = `${name}!`, turns = 0, ...signature }: Behaviour = {},
): Atom {
  let left = failures;
  const tell = (line: string): void => {
    trace.atoms.push(line);
    trace.all.push(line);
  };
  const work = (): unknown => {
    if (left-- > 0) throw Object.assign(new Error(`${name} is bad`), { code: 'BAD' });
    return gives;
  };
  const undo = (): void => {
    if (revertFails) throw new Error(`${name} can't be undone`);
  };
  return {
    ...signature,
    name,
    execute(inputs: Inputs) {
      tell(`call ${name}${Object.keys(inputs).length > 0 ? ` ${JSON.stringify(inputs)}` : ''}`);
      return turns > 0 ? turn(turns).then(work) : work();
    },
    revert() {
      tell(`revert ${name}`);
      return turns > 0 ? turn(turns).then(undo) : undo();
    },
  };
}

/** An engine whose changes of state are told. */
export function traced(trace: Trace, flow: Flow, options: EngineOptions = {}): Engine {
  const engine = new Engine(flow, options);
  engine.notifier.register('*', (state, { old_state }) => {
    trace.flow.push(`${old_state}>${state}`);
    trace.all.push(`flow ${old_state}>${state}`);
  });
  engine.taskNotifier.register('*', (state, { atom: name, old_state }) => {
    trace.atoms.push(`${name} ${old_state}>${state}`);
    trace.all.push(`${name} ${old_state}>${state}`);
  });
  return engine;
}

/** Runs a flow, and tells. */
export function runTraced(trace: Trace, flow: Flow, options: EngineOptions = {}): Promise<FlowResult> {
  return traced(trace, flow, options).run();
}

/** The lines of a recorded trace. */
export function recorded(text: string): string[] {
  return text
    .trim()
    .split(/ · |\n/)
    .map((line) => line.trim().replace(/": "/g, '":"').replace(/": /g, '":'));
}
