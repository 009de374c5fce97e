/* Random nested flows in which random atoms fail. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  ATOM_TRANSITIONS,
  type Atom,
  type AtomState,
  DEPTHS,
  type Depth,
  Engine,
  type EngineKind,
  FLOW_TRANSITIONS,
  type Flow,
  type FlowSnapshot,
  type FlowState,
  graph,
  linear,
  times,
  unordered,
} from '../../src/flow/index.ts';
import { compile } from '../../src/flow/plan/compile.ts';

interface AtomSpec {
  readonly turns: number;
  /** Number of first calls that fail. */
  readonly failures: number;
}

interface FlowSpec {
  readonly pattern: 'linear' | 'unordered' | 'graph';
  readonly tries: number;
  /** Positions of two parts, and the depth of a decider between them that returns false. */
  readonly links: readonly (readonly [number, number, Depth | undefined])[];
  readonly parts: readonly (AtomSpec | FlowSpec)[];
}

const PATTERNS = { linear, unordered, graph };

/**
 * Generates nested flows.
 * @param tries maximum tries of a retry controller; 0 for no controller
 * @param depths of deciders that return false
 */
function flows(tries: number, depths: readonly Depth[] = []): fc.Arbitrary<FlowSpec> {
  const { flow } = fc.letrec<{ part: AtomSpec | FlowSpec; flow: FlowSpec }>((tie) => ({
    part: fc.oneof(
      { maxDepth: 3 },
      {
        arbitrary: fc.record({ turns: fc.nat(3), failures: fc.nat(12).map((n) => Math.max(0, n - 10)) }),
        weight: 3,
      },
      { arbitrary: tie('flow'), weight: 2 },
    ),
    flow: fc.record({
      pattern: fc.constantFrom('linear', 'unordered', 'graph'),
      tries: fc.nat(tries),
      links: fc.array(fc.tuple(fc.nat(4), fc.nat(4), fc.constantFrom(undefined, ...depths)), {
        maxLength: 4,
      }),
      parts: fc.array(tie('part'), { minLength: 1, maxLength: 4 }),
    }),
  }));
  return flow;
}

/** Observed call of an atom. */
type Seen = readonly [what: 'call' | 'revert', atom: string];

function build(spec: FlowSpec, seen: Seen[]): Flow {
  let atoms = 0;
  let nested = 0;
  const turn = async (turns: number): Promise<void> => {
    for (let left = turns; left > 0; left--) await new Promise(setImmediate);
  };
  const atomOf = ({ turns, failures }: AtomSpec): Atom => {
    const name = `a${atoms++}`;
    let left = failures;
    const work = (): string => {
      if (left-- > 0) throw new Error('bad');
      return name;
    };
    return {
      name,
      provides: name,
      execute() {
        seen.push(['call', name]);
        return turns === 0 ? work() : turn(turns).then(work);
      },
      revert() {
        seen.push(['revert', name]);
        return turn(turns);
      },
    };
  };
  const flowOf = ({ pattern, tries, links, parts }: FlowSpec): Flow => {
    const made = PATTERNS[pattern](`f${nested++}`, tries > 0 ? { retry: times(tries) } : {});
    const children = parts.map((part) => ('parts' in part ? flowOf(part) : atomOf(part)));
    made.add(...children);
    for (const [from, to, depth] of pattern === 'graph' ? links : []) {
      const [first, second] = [children[from], children[to]];
      if (from < to && first !== undefined && second !== undefined)
        made.link(first, second, depth && { decider: () => false, depth });
    }
    return made;
  };
  return flowOf(spec);
}

/** Runs a flow and checks each transition against the tables. */
async function runChecked(flow: Flow, engine: EngineKind, resume?: FlowSnapshot): Promise<Engine> {
  const run = new Engine(flow, { engine, jobs: 3, resume });
  const states = new Map<string, AtomState>(
    Object.entries(run.toJSON().atoms).map(([name, { state }]) => [name, state]),
  );
  let state: FlowState = run.state;
  const faults: string[] = []; // the engine ignores errors that listeners throw
  run.taskNotifier.register('*', (next, { atom: name = '', old_state }) => {
    const kind = name.endsWith('_retry') ? 'retry' : 'task';
    const isLegal = states.get(name) === old_state && ATOM_TRANSITIONS[kind][old_state].includes(next);
    if (!isLegal) faults.push(`${name} ${states.get(name)}, ${old_state}>${next}`);
    states.set(name, next);
  });
  run.notifier.register('*', (next, { old_state }) => {
    const isLegal = state === old_state && FLOW_TRANSITIONS[old_state].includes(next);
    if (!isLegal) faults.push(`flow ${state}, ${old_state}>${next}`);
    state = next;
  });
  await run.run();
  expect(faults).toEqual([]);
  expect(Object.entries(run.toJSON().atoms).map(([name, record]) => [name, record.state])).toEqual([
    ...states,
  ]);
  return run;
}

/** Runs a flow with these checks. Returns the final states of the flow and its atoms. */
async function runAll(
  flow: Flow,
  engine: EngineKind,
): Promise<{ state: string; atoms: Record<string, string> }> {
  const run = await runChecked(flow, engine);
  const atoms = Object.fromEntries(
    Object.entries(run.toJSON().atoms).map(([name, { state }]) => [name, state]),
  );
  return { state: run.state, atoms };
}

const RUNS = { numRuns: 150 };

test('a failure without controllers reverts all atoms that ran, and no others', async () => {
  await fc.assert(
    fc.asyncProperty(flows(0), fc.constantFrom('serial', 'parallel'), async (spec, engine) => {
      const seen: Seen[] = [];
      const flow = build(spec, seen);
      const { state, atoms } = await runAll(flow, engine);
      const namesOf = (what: string): string[] =>
        seen.filter(([one]) => one === what).map(([, name]) => name);
      const [called, reverted] = [namesOf('call'), namesOf('revert')];
      expect(new Set(called).size).toBe(called.length);
      if (state === 'SUCCESS') {
        expect(reverted).toEqual([]);
        expect(called).toHaveLength(Object.keys(atoms).length);
      } else {
        expect(state).toBe('REVERTED');
        expect([...reverted].sort()).toEqual([...called].sort());
        for (const [name, end] of Object.entries(atoms))
          expect(end).toBe(called.includes(name) ? 'REVERTED' : 'PENDING');
      }
      expectOrder(flow, called, reverted);
    }),
    RUNS,
  );
});

/** Asserts that an atom runs after those it waits for, and is reverted before them. */
function expectOrder(flow: Flow, called: readonly string[], reverted: readonly string[]): void {
  const { atoms, graph: order, indexes } = compile(flow);
  for (const [place, name] of called.entries()) {
    const before = order.before(indexes.get(name) as number).map((index) => atoms[index]?.name as string);
    for (const earlier of before) {
      expect(called.indexOf(earlier)).toBeLessThan(place);
      if (reverted.length > 0) expect(reverted.indexOf(earlier)).toBeGreaterThan(reverted.indexOf(name));
    }
  }
}

/** Returns the same flow with all patterns linear. */
function straight(spec: FlowSpec): FlowSpec {
  const parts = spec.parts.map((part) => ('parts' in part ? straight(part) : part));
  return { ...spec, pattern: 'linear', parts };
}

test('a linear flow, however nested, is reverted in exactly the reverse order', async () => {
  await fc.assert(
    fc.asyncProperty(flows(0).map(straight), async (spec) => {
      const seen: Seen[] = [];
      const { state } = await runAll(build(spec, seen), 'serial');
      const called = seen.filter(([what]) => what === 'call').map(([, name]) => name);
      const reverted = seen.filter(([what]) => what === 'revert').map(([, name]) => name);
      expect(reverted).toEqual(state === 'SUCCESS' ? [] : called.reverse());
    }),
    RUNS,
  );
});

test('a parallel engine ends like a serial one, except for atoms that one of them never began', async () => {
  await fc.assert(
    fc.asyncProperty(flows(0), async (spec) => {
      const serial = await runAll(build(spec, []), 'serial');
      const parallel = await runAll(build(spec, []), 'parallel');
      expect(parallel.state).toBe(serial.state);
      for (const [name, end] of Object.entries(serial.atoms)) {
        const other = parallel.atoms[name];
        const isUnbegun = end === 'PENDING' || other === 'PENDING';
        if (!isUnbegun) expect(other).toBe(end);
      }
    }),
    RUNS,
  );
});

test('a flow with controllers ends, and each atom has one more call than reverts if it succeeded, else as many', async () => {
  await fc.assert(
    fc.asyncProperty(flows(3), fc.constantFrom('serial', 'parallel'), async (spec, engine) => {
      const seen: Seen[] = [];
      const { state, atoms } = await runAll(build(spec, seen), engine);
      expect(['SUCCESS', 'REVERTED']).toContain(state);
      for (const [name, end] of Object.entries(atoms)) {
        if (name.endsWith('_retry')) continue;
        const count = (what: string): number =>
          seen.filter(([one, atom]) => one === what && atom === name).length;
        expect(['SUCCESS', 'REVERTED', 'PENDING']).toContain(end);
        expect(count('call') - count('revert')).toBe(end === 'SUCCESS' ? 1 : 0);
      }
    }),
    RUNS,
  );
});

test('a flow with deciders and controllers ends, and no atom stays done without being counted as SUCCESS', async () => {
  await fc.assert(
    fc.asyncProperty(flows(2, DEPTHS), fc.constantFrom('serial', 'parallel'), async (spec, engine) => {
      const seen: Seen[] = [];
      const { state, atoms } = await runAll(build(spec, seen), engine);
      expect(['SUCCESS', 'REVERTED']).toContain(state);
      for (const [name, end] of Object.entries(atoms)) {
        const count = (what: string): number =>
          seen.filter(([one, atom]) => one === what && atom === name).length;
        if (!name.endsWith('_retry')) expect(count('call') - count('revert')).toBe(end === 'SUCCESS' ? 1 : 0);
      }
    }),
    { numRuns: 600 },
  );
});

/** Suspends a flow after this many state changes and resumes it from JSON. Returns its final state. */
async function runInTwo(flow: Flow, stop: number): Promise<string> {
  const first = new Engine(flow);
  let changes = 0;
  first.taskNotifier.register('*', () => {
    if (changes++ === stop) first.suspend();
  });
  await first.run();
  return (await runChecked(flow, 'serial', JSON.parse(JSON.stringify(first)) as FlowSnapshot)).state;
}

test('a linear flow that is suspended anywhere and resumed from JSON makes the same calls as without a stop', async () => {
  await fc.assert(
    fc.asyncProperty(flows(3).map(straight), fc.nat(40), async (spec, stop) => {
      const [whole, parts]: [Seen[], Seen[]] = [[], []];
      const { state } = await runAll(build(spec, whole), 'serial');
      expect(await runInTwo(build(spec, parts), stop)).toBe(state);
      expect(parts).toEqual(whole);
    }),
    RUNS,
  );
});

test('any flow that is suspended anywhere and resumed ends in the same state, and reverts all that ran', async () => {
  await fc.assert(
    fc.asyncProperty(flows(0), fc.nat(40), async (spec, stop) => {
      const seen: Seen[] = [];
      const { state } = await runAll(build(spec, []), 'serial');
      expect(await runInTwo(build(spec, seen), stop)).toBe(state);
      const namesOf = (what: string): string[] =>
        seen.filter(([one]) => one === what).map(([, name]) => name);
      const called = namesOf('call').sort();
      expect(new Set(called).size).toBe(called.length);
      expect(namesOf('revert').sort()).toEqual(state === 'SUCCESS' ? [] : called);
    }),
    RUNS,
  );
});
