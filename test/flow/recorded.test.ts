/*
 * Nested flows with failures, retries, deciders, hooks and inputs, recorded from the serial engine of TaskFlow 5.0 in
 * recorded.ndjson by scripts/record-taskflow.py. TaskFlow does not order parts that can run at the same time. The
 * recording orders them by priority: the part that was added first runs first, and the part that began last is reverted
 * first.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  type Atom,
  alwaysRevert,
  alwaysRevertAll,
  type Depth,
  type Flow,
  forEach,
  graph,
  linear,
  type Part,
  parameterizedForEach,
  type Retry,
  times,
  unordered,
} from '../../src/flow/index.ts';
import { root, sh } from '../support/run.ts';
import { atom, type Behaviour, newTrace, type Trace, traced } from './trace.ts';

interface RecordedAtom extends Behaviour {
  readonly name: string;
  /** True if its hooks write lines. */
  readonly hooks?: boolean;
  /** Number of first calls of `preExecute` that fail. */
  readonly preFailures?: number;
  readonly preRevertFails?: boolean;
}

interface RecordedFlow {
  readonly flow: string;
  readonly kind: 'linear' | 'unordered' | 'graph';
  readonly parts: readonly (RecordedAtom | RecordedFlow)[];
  readonly retry?: readonly [string, unknown?];
  readonly retryProvides?: string;
  readonly links?: readonly [number, number, { readonly says: boolean; readonly depth: Depth }?][];
  /** Number of runs, with a reset between them. Default 1. */
  readonly runs?: number;
  readonly store?: Readonly<Record<string, unknown>>;
}

interface Recording {
  /** Difference between TaskFlow and our engine; undefined if there is none. */
  readonly why?: string;
  readonly flow: RecordedFlow;
  readonly state: string;
  readonly lines: readonly string[];
}

const PATTERNS = { linear, unordered, graph };

function build(trace: Trace, spec: RecordedFlow): Flow {
  const { retryProvides: provides } = spec;
  const retry =
    spec.retry === undefined
      ? undefined
      : { ...controller(...spec.retry), ...(provides === undefined ? {} : { provides }) };
  const flow = PATTERNS[spec.kind](spec.flow, { retry });
  const parts = spec.parts.map(
    (part): Part => ('flow' in part ? build(trace, part) : recordedAtom(trace, part)),
  );
  flow.add(...parts);
  for (const [from, to, decider] of spec.links ?? []) {
    const more = decider === undefined ? {} : { decider: () => decider.says, depth: decider.depth };
    flow.link(parts[from] as Part, parts[to] as Part, more);
  }
  return flow;
}

/** Returns an atom that writes the same lines as a recorded one. */
function recordedAtom(trace: Trace, spec: RecordedAtom): Atom {
  const { name, hooks = false, preFailures = 0, preRevertFails = false, ...behaviour } = spec;
  const made = atom(trace, name, behaviour);
  if (!hooks && preFailures === 0 && !preRevertFails) return made;
  let left = preFailures;
  const hook = (line: string, isBad: () => boolean) => (): void => {
    if (hooks) trace.atoms.push(`${line} ${name}`);
    if (isBad()) throw new Error(`${name} is not ready`);
  };
  return {
    ...made,
    preExecute: hook('preExecute', () => left-- > 0),
    postExecute: hook('postExecute', () => false),
    preRevert: hook('preRevert', () => preRevertFails),
    postRevert: hook('postRevert', () => false),
  };
}

function controller(kind: string, given?: unknown): Retry {
  if (kind === 'times') return times(given as number);
  if (kind === 'timesAll') return times(given as number, { revertAll: true });
  if (kind === 'forEach') return forEach(given as unknown[]);
  if (kind === 'forEachAll') return forEach(given as unknown[], { revertAll: true });
  if (kind === 'parameterizedForEach') return parameterizedForEach(given as string);
  return kind === 'alwaysRevert' ? alwaysRevert() : alwaysRevertAll();
}

function recordingsIn(file: string): Recording[] {
  const lines = readFileSync(new URL(file, import.meta.url), 'utf8')
    .trim()
    .split('\n');
  return lines.map((line) => JSON.parse(line) as Recording);
}

/** Runs a recorded flow with our engine. */
async function replayed({ flow }: Recording): Promise<Pick<Recording, 'state' | 'lines'>> {
  const trace = newTrace();
  const engine = traced(trace, build(trace, flow), { store: flow.store ?? {} });
  const states: string[] = [];
  for (let run = 0; run < (flow.runs ?? 1); run++) {
    if (run > 0) engine.reset();
    states.push((await engine.run()).state);
  }
  return { state: states.join(' '), lines: trace.atoms };
}

test('flows pass through the recorded states of TaskFlow, in the same order', async () => {
  const recordings = recordingsIn('recorded.ndjson');
  expect(recordings.length).toBeGreaterThanOrEqual(120);
  for (const recording of recordings)
    expect({ ...recording, ...(await replayed(recording)) }).toEqual(recording);
});

/** Lines that only our engine has (`more`) or only TaskFlow has (`less`), by the behaviour of TaskFlow. */
const DIFFERENCES: Readonly<Record<string, { state: string; more: string[]; less: string[] }>> = {
  'it reverts an atom that was about to start when its sibling failed': {
    ...{ state: 'REVERTED', more: [] },
    less: ['a1 PENDING>REVERTING', 'revert a1', 'a1 REVERTING>REVERTED'],
  },
  'it stops at a failure below a controller that a decider left out': {
    state: 'REVERTED',
    more: [
      ...['a1 FAILURE>REVERTING', 'revert a1', 'a1 REVERTING>REVERTED'],
      ...['a0 SUCCESS>REVERTING', 'revert a0', 'a0 REVERTING>REVERTED'],
    ],
    less: [],
  },
  'it retries a flow although everything must be reverted': {
    ...{ state: 'REVERTED', more: ['f2_retry SUCCESS>REVERTING', 'f2_retry REVERTING>REVERTED'] },
    less: [
      'f2_retry SUCCESS>RETRYING',
      'a1 REVERTED>PENDING',
      'f2_retry RETRYING>RUNNING',
      'a1 RUNNING>SUCCESS',
    ],
  },
  'its controllers keep their tries over a reset': {
    ...{ state: 'SUCCESS SUCCESS', more: [] },
    less: ['f0_retry RUNNING>FAILURE', 'f0_retry FAILURE>REVERTING', 'f0_retry REVERTING>REVERTED'],
  },
  'it cannot be reset after a revert failed': {
    state: 'FAILURE SUCCESS',
    more: ['a0 RUNNING>SUCCESS'],
    less: [],
  },
};

test.each(recordingsIn('differs.ndjson'))('TaskFlow differs: $why', async (recording) => {
  const { state, lines } = await replayed(recording);
  const more = lines.filter((line) => !recording.lines.includes(line));
  const less = recording.lines.filter((line) => !lines.includes(line));
  expect({ state, more, less }).toEqual(DIFFERENCES[recording.why ?? '']);
});

test.for(['recorded.ndjson', 'differs.ndjson'])(
  '%s equals the output of an installed TaskFlow',
  async (file, context) => {
    const python = '/usr/bin/python3'; // Debian's package is for this one
    if ((await sh(`${python} -c 'import taskflow'`)).code !== 0)
      context.skip('python3-taskflow is not installed');
    const command = `${python} ${root}scripts/record-taskflow.py --check --file ${root}test/flow/${file}`;
    expect(await sh(command)).toMatchObject({ code: 0, stderr: '' });
  },
);
