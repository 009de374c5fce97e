/*
 * Random nested flows with failures, retries and deciders, recorded from the serial engine of TaskFlow 5.0 in
 * recorded.ndjson. TaskFlow does not order parts that can run at the same time. The recording orders them by
 * priority: the part that was added first runs first, and the part that began last is reverted first.
 */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import {
  alwaysRevert,
  alwaysRevertAll,
  type Depth,
  type Flow,
  forEach,
  graph,
  linear,
  type Part,
  type Retry,
  times,
  unordered,
} from '../../src/flow/index.ts';
import { atom, newTrace, runTraced, type Trace } from './trace.ts';

interface RecordedAtom {
  readonly name: string;
  readonly failures?: number;
  readonly revertFails?: boolean;
}

interface RecordedFlow {
  readonly flow: string;
  readonly kind: 'linear' | 'unordered' | 'graph';
  readonly parts: readonly (RecordedAtom | RecordedFlow)[];
  readonly retry?: readonly [string, unknown?];
  readonly links?: readonly [number, number, { readonly says: boolean; readonly depth: Depth }?][];
}

interface Recording {
  readonly flow: RecordedFlow;
  readonly state: string;
  readonly lines: readonly string[];
}

const PATTERNS = { linear, unordered, graph };

function build(trace: Trace, spec: RecordedFlow): Flow {
  const retry = spec.retry === undefined ? undefined : controller(...spec.retry);
  const flow = PATTERNS[spec.kind](spec.flow, { retry });
  const parts = spec.parts.map(
    (part): Part => ('flow' in part ? build(trace, part) : atom(trace, part.name, part)),
  );
  flow.add(...parts);
  for (const [from, to, decider] of spec.links ?? []) {
    const more = decider === undefined ? {} : { decider: () => decider.says, depth: decider.depth };
    flow.link(parts[from] as Part, parts[to] as Part, more);
  }
  return flow;
}

function controller(kind: string, given?: unknown): Retry {
  if (kind === 'times') return times(given as number);
  if (kind === 'timesAll') return times(given as number, { revertAll: true });
  if (kind === 'forEach') return forEach(given as unknown[]);
  return kind === 'alwaysRevert' ? alwaysRevert() : alwaysRevertAll();
}

const recordings = readFileSync(new URL('recorded.ndjson', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recording);

test('nested flows pass through the recorded states of TaskFlow, in the same order', async () => {
  expect(recordings.length).toBeGreaterThan(40);
  for (const { flow, state, lines } of recordings) {
    const trace = newTrace();
    const result = await runTraced(trace, build(trace, flow));
    expect({ flow, state: result.state, lines: trace.atoms }).toEqual({ flow, state, lines });
  }
});
