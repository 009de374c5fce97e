/* Random flows that succeed and are reverted later, from their log or from their record. */
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type Atom, type Depth, type Flow, graph, linear, times, unordered } from '../../src/flow/index.ts';
import { exec, type FlowExecutorOptions, flow, Task } from '../../src/index.ts';
import { freshFolder } from '../support/run.ts';

/** Form in which an atom provides its result. */
type Provision = 'nothing' | 'whole' | 'shared' | 'list' | 'members' | 'renamed';

interface AtomSpec {
  readonly provision: Provision;
  readonly value: unknown;
  readonly reverts: boolean;
}

interface FlowSpec {
  readonly pattern: 'linear' | 'unordered' | 'graph';
  readonly tries: number;
  readonly links: readonly (readonly [number, number, readonly [boolean, Depth] | undefined])[];
  readonly parts: readonly (AtomSpec | FlowSpec)[];
}

const PATTERNS = { linear, unordered, graph };

const decider = fc.tuple(fc.boolean(), fc.constantFrom<Depth>('ALL', 'FLOW', 'NEIGHBORS', 'ATOM'));

/** Generates nested flows. @param provisions ways to provide results */
function flows(provisions: readonly Provision[], decides: boolean): fc.Arbitrary<FlowSpec> {
  const atom: fc.Arbitrary<AtomSpec> = fc.record({
    provision: fc.constantFrom(...provisions),
    value: fc.oneof(fc.constantFrom(null, 0, '', false), fc.jsonValue({ maxDepth: 2 })),
    reverts: fc.integer({ max: 3, min: 0 }).map((n) => n > 0),
  });
  const link = fc.tuple(
    fc.nat(3),
    fc.nat(3),
    decides ? fc.option(decider, { nil: undefined }) : fc.constant(undefined),
  );
  const { made } = fc.letrec<{ part: AtomSpec | FlowSpec; made: FlowSpec }>((tie) => ({
    part: fc.oneof({ maxDepth: 2 }, { arbitrary: atom, weight: 3 }, { arbitrary: tie('made'), weight: 1 }),
    made: fc.record({
      pattern: fc.constantFrom('linear', 'unordered', 'graph'),
      tries: fc.nat(2),
      links: fc.array(link, { maxLength: 3 }),
      parts: fc.array(tie('part'), { minLength: 1, maxLength: 4 }),
    }),
  }));
  return made;
}

/** Calls of the atoms of a flow: results in the order in which atoms ended, and what reverts got. */
interface Calls {
  readonly done: [string, unknown][];
  readonly undone: [string, unknown][];
}

function build(spec: FlowSpec, { done, undone }: Calls): Flow {
  let atoms = 0;
  let nested = 0;
  const atomOf = ({ provision, value, reverts }: AtomSpec): Atom => {
    const name = `a${atoms++}`;
    const [result, provides] = {
      nothing: () => [value, undefined] as const,
      whole: () => [value, name] as const,
      shared: () => [value, 'shared'] as const,
      list: () =>
        [
          [value, 1, 2],
          [`${name}x`, `${name}y`],
        ] as const,
      members: () => [{ [`${name}x`]: value, more: 1 }, new Set([`${name}x`])] as const,
      renamed: () => [{ x: value, more: 1 }, { [`${name}x`]: 'x' }] as const,
    }[provision]();
    const execute = (): unknown => {
      if (reverts) done.push([name, result]);
      return result;
    };
    const revert: Atom['revert'] = (_, { result: got }) => undone.push([name, got]);
    return { name, execute, ...(provides !== undefined && { provides }), ...(reverts && { revert }) } as Atom;
  };
  const flowOf = ({ pattern, tries, links, parts }: FlowSpec): Flow => {
    const made = PATTERNS[pattern](`f${nested++}`, tries > 0 ? { retry: times(tries) } : {});
    const children = parts.map((part) => ('parts' in part ? flowOf(part) : atomOf(part)));
    made.add(...children);
    for (const [from, to, decides] of pattern === 'graph' ? links : []) {
      const [first, second] = [children[from], children[to]];
      if (from >= to || first === undefined || second === undefined) continue;
      made.link(first, second, decides && { decider: () => decides[0], depth: decides[1] });
    }
    return made;
  };
  return linear('top').add(flowOf(spec), {
    name: 'last',
    provides: 'last',
    execute: () => 'last',
    revert: () => {},
  });
}

/** Passes a record through a stage that runs or reverts a flow. */
async function through(made: Flow, record: string, options: FlowExecutorOptions): Promise<string> {
  async function* tasks(): AsyncGenerator<Task[]> {
    yield [new Task('u', record)];
  }
  const { revert } = options;
  for await (const [out] of exec(await flow(made, options), { revert })(tasks())) return (out as Task).line;
  return '';
}

/** Runs a flow and reverts it later. Checks that each revert got its result, in an order that the flow allows. */
async function runAndRevert(spec: FlowSpec, options: FlowExecutorOptions): Promise<void> {
  const calls: Calls = { done: [], undone: [] };
  const made = build(spec, calls);
  const succeeded = JSON.parse(await through(made, '{"uuid":"u"}', options)) as { run: { state: string } };
  expect(succeeded.run.state).toBe('SUCCESS');
  expect(calls.undone).toEqual([]);
  const failed = JSON.stringify({ ...succeeded, run: { state: 'FAILURE', as: 'later' } });
  expect(await through(made, failed, { ...options, revert: true })).toContain('"state":"REVERTED"');
  const byName = (list: Calls['done']) => list.toSorted(([a], [b]) => a.localeCompare(b));
  expect(byName(calls.undone)).toEqual(byName(JSON.parse(JSON.stringify(calls.done))));
  if (spec.pattern === 'linear' && spec.parts.every((part) => !('parts' in part)))
    expect(calls.undone.map(([name]) => name)).toEqual(calls.done.map(([name]) => name).reverse());
}

const RUNS = { numRuns: 150 };

test('from the log, every atom that ran is reverted once with its result, whatever it provides', async () => {
  const all: Provision[] = ['nothing', 'whole', 'shared', 'list', 'members', 'renamed'];
  const folder = freshFolder();
  let log = 0;
  await fc.assert(
    fc.asyncProperty(flows(all, true), async (spec) => {
      await runAndRevert(spec, { flowLog: join(folder, `log${log++}`) });
    }),
    RUNS,
  );
});

test('from the record, every atom that ran is reverted once with its result, if it has its own name', async () => {
  await fc.assert(
    fc.asyncProperty(flows(['whole'], true), async (spec) => runAndRevert(spec, {})),
    RUNS,
  );
});
