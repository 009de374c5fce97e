/* Flows that record their steps in the format of the recorded traces. */
import {
  type Atom,
  Engine,
  type EngineOptions,
  type Flow,
  type FlowResult,
  type Inputs,
} from '../../src/flow/index.ts';

/** Steps of a run, in order. */
export interface Trace {
  /** `atom OLD>NEW`, `call atom {inputs}`, `revert atom`. */
  readonly atoms: string[];
  /** `OLD>NEW` of the flow. */
  readonly flow: string[];
  /** Both, with `flow` in front of those of the flow. */
  readonly all: string[];
}

export function newTrace(): Trace {
  return { atoms: [], flow: [], all: [] };
}

/** Behaviour of an atom in a test. */
export interface Behaviour extends Omit<Atom, 'name' | 'execute' | 'revert'> {
  /** Number of first calls that fail. */
  readonly failures?: number;
  readonly revertFails?: boolean;
  /** Result of the atom. Default: its name and `!`. */
  readonly gives?: unknown;
  /** Progress that it reports. */
  readonly progress?: readonly number[];
  /** Turns of the event loop that the work takes. Default: none. */
  readonly turns?: number;
}

async function turn(turns: number): Promise<void> {
  for (let left = turns; left > 0; left--) await new Promise(setImmediate);
}

/** Returns an atom that records its calls. */
export function atom(
  trace: Trace,
  name: string,
  {
    failures = 0,
    revertFails = false,
    gives = `${name}!`,
    turns = 0,
    progress = [],
    ...signature
  }: Behaviour = {},
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
    execute(inputs: Inputs, context) {
      tell(`call ${name}${shown(inputs)}`);
      for (const part of progress) context.progress(part);
      return turns > 0 ? turn(turns).then(work) : work();
    },
    revert(inputs) {
      const own = [signature.revertRequires ?? []].flat();
      tell(`revert ${name}${shown(Object.fromEntries(own.map((one) => [one, inputs[one]])))}`);
      return turns > 0 ? turn(turns).then(undo) : undo();
    },
  };
}

function shown(inputs: Inputs): string {
  return Object.keys(inputs).length > 0 ? ` ${JSON.stringify(inputs)}` : '';
}

/** Returns an engine that records its state changes. */
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
  engine.taskNotifier.register('PROGRESS', (_, { atom: name, progress }) => {
    trace.atoms.push(`progress ${name} ${progress}`);
  });
  return engine;
}

/** Runs a flow and records its steps. */
export function runTraced(trace: Trace, flow: Flow, options: EngineOptions = {}): Promise<FlowResult> {
  return traced(trace, flow, options).run();
}

/** Returns the lines of a recorded trace. */
export function recorded(text: string): string[] {
  return text
    .trim()
    .split(/ · |\n/)
    .map((line) => line.trim().replace(/": "/g, '":"').replace(/": /g, '":'));
}
