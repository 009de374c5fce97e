/* Hooks of atoms, which run around execute and revert. */
import { describe, expect, test } from 'vitest';
import { type Atom, Engine, type FlowResult, linear, run, task } from '../../../src/flow/index.ts';

const HOOKS = ['preExecute', 'postExecute', 'preRevert', 'postRevert'] as const;

/** Runs an atom and a second one that fails. Returns the calls and the result. */
async function calls(
  atom: Partial<Atom>,
  bad: readonly string[] = [],
): Promise<{ lines: string[]; result: FlowResult; undone: unknown }> {
  const lines: string[] = [];
  let undone: unknown;
  const said = (name: string) => (): unknown => {
    lines.push(name);
    if (bad.includes(name)) throw Object.assign(new Error(`${name} is bad`), { code: 'BAD' });
    return name === 'execute' ? 'made' : undefined;
  };
  const hooks = Object.fromEntries(HOOKS.map((name) => [name, said(name)]));
  const revert: Atom['revert'] = (_, { result }) => {
    undone = result;
    said('revert')();
  };
  const flow = linear('f').add(
    { ...hooks, name: 'a', execute: said('execute'), revert, ...atom },
    task('b', said('b')),
  );
  return { result: await run(flow), lines, undone };
}

test('hooks run around execute and around revert, with its inputs and its context', async () => {
  const seen: unknown[] = [];
  const given: Atom['preExecute'] = (inputs, { atom }) => seen.push([atom, inputs]);
  const { lines, undone } = await calls({ requires: [], inject: { x: 1 }, preExecute: given }, ['b']);
  expect(lines).toEqual(['execute', 'postExecute', 'b', 'preRevert', 'revert', 'postRevert']);
  expect(seen).toEqual([['a', { x: 1 }]]);
  expect(undone).toBe('made');
});

test('hooks of an atom without revert run, and so do those of an instance, as its methods', async () => {
  const { lines } = await calls({ revert: undefined } as never, ['b']);
  expect(lines.slice(-2)).toEqual(['preRevert', 'postRevert']);
  class Traced {
    readonly name = 'traced';
    readonly lines: string[] = [];
    preExecute(): void {
      this.lines.push('pre');
    }
    execute(): void {
      this.lines.push('work');
    }
  }
  const traced = new Traced();
  await run(linear('f').add(traced));
  expect(traced.lines).toEqual(['pre', 'work']);
});

describe('an error', () => {
  test('of preExecute fails the atom: execute does not run, postExecute and revert do', async () => {
    const { lines, result } = await calls({}, ['preExecute']);
    expect(lines).toEqual(['preExecute', 'postExecute', 'preRevert', 'revert', 'postRevert']);
    expect(result.failures.a).toEqual({ code: 'BAD', message: 'preExecute: preExecute is bad' });
    expect(result.errors.a).toMatchObject({ stack: expect.stringContaining('hooks.test.ts') });
  });

  test('of postExecute fails the atom, and revert gets the result of execute', async () => {
    const { result, undone } = await calls({}, ['postExecute']);
    expect(result).toMatchObject({ state: 'REVERTED', failures: { a: { code: 'BAD' } } });
    expect(undone).toBe('made');
  });

  test('of execute comes before that of postExecute', async () => {
    const { result } = await calls({}, ['execute', 'postExecute']);
    expect(result.failures.a?.message).toBe('execute is bad; postExecute: postExecute is bad');
    expect(result.errors.a).toMatchObject({ message: 'execute is bad' });
  });

  test.each([
    ['preRevert', ['preRevert', 'postRevert']],
    ['postRevert', ['preRevert', 'revert', 'postRevert']],
  ])('of %s fails the revert', async (bad, ran) => {
    const { lines, result } = await calls({}, ['b', bad]);
    expect(lines.slice(lines.indexOf('b') + 1)).toEqual(ran);
    expect(result).toMatchObject({
      state: 'FAILURE',
      revertFailures: { a: { message: `${bad}: ${bad} is bad` } },
    });
  });
});

test('a timeout includes the hooks', async () => {
  const slow = task('slow', () => 1, { preExecute: () => new Promise(() => {}) });
  const { failures } = await run(linear('f').add(slow), { timeout: 5 });
  expect(failures.slow?.code).toBe('TIMEOUT');
});

test('a hook that is not a function is rejected when the atom is added', () => {
  const add = (): unknown => linear('f').add(task('a', () => 1, { preExecute: 'yes' as never }));
  expect(add).toThrow('flow "f": preExecute of the atom "a" must be a function; got string');
});

test('hooks of a function are its properties', async () => {
  const lines: string[] = [];
  function greet(): void {
    lines.push('greet');
  }
  greet.postExecute = (): void => void lines.push('post');
  await new Engine(linear('f').add(greet)).run();
  expect(lines).toEqual(['greet', 'post']);
});
