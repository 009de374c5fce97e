import { parseLines, parseTask, type RecordReject } from '../../core/record/ndjson.ts';
import { type Failure, runOf, stateOf, Task } from '../../core/record/task.ts';
import type { LineOptions } from '../../core/text/lines.ts';
import { SETTLED } from '../../queues/contract.ts';
import type { Queue, SettleCounts, SettleOptions, Verdict } from '../../queues/index.ts';
import { MISFITS } from '../../savers/contract.ts';
import { nameOf } from '../ledger-filter.ts';

/** Maximum number of unknown tasks to keep for the message that names some. */
const STRANGERS = 10;

/** Line of the input, with the verdict on its task. */
export interface JudgedLine extends Verdict {
  readonly line: string;
}

/**
 * Reads records and bare uuids, with the verdict on each. SUCCESS, records without `run` and bare uuids are
 * done; PENDING goes back; all else has failed.
 */
export function readJudged(
  chunks: AsyncIterable<Buffer>,
  options: LineOptions,
): AsyncGenerator<readonly JudgedLine[]> {
  return parseLines(chunks, options, judge);
}

function judge(line: string): JudgedLine | RecordReject | undefined {
  if (!line.trimStart().startsWith('{')) {
    const named = nameOf(line);
    return named === undefined || 'code' in named ? named : { uuid: named.uuid, kind: 'done', line };
  }
  const task = parseTask(line);
  if (!(task instanceof Task)) return task;
  const { uuid } = task;
  const state = stateOf(task);
  if (state === undefined || state === 'SUCCESS') return { uuid, kind: 'done', line };
  if (state === 'PENDING') return { uuid, kind: 'back', line };
  const error = failureOf(runOf(task.fields)?.error, state);
  // The work succeeded, but its result does not fit the output: it is in the rest file.
  return { uuid, kind: 'failed', error, isFinal: MISFITS.includes(error.code), line };
}

/** Returns the failure of a run. A run from outside may lack any member. */
function failureOf(error: Partial<Failure> | undefined, state: string): Failure {
  const { code, message } = error ?? {};
  return { code: String(code ?? state), message: String(message ?? '') };
}

/** Turns verdicts `done` into failures, and passes on all others. */
export async function* asFailed(
  batches: AsyncIterable<readonly JudgedLine[]>,
): AsyncGenerator<readonly JudgedLine[]> {
  const error: Failure = { code: 'NACK', message: 'given back by task-queue nack' };
  for await (const batch of batches)
    yield batch.map((one) => (one.kind === 'done' ? { ...one, kind: 'failed', error } : one));
}

/**
 * Settles tasks, and passes their lines on once they are settled.
 * @param counts totals to add to
 */
export async function* settle(
  batches: AsyncIterable<readonly JudgedLine[]>,
  queues: readonly Queue[],
  options: SettleOptions,
  counts: SettleCounts,
): AsyncGenerator<readonly JudgedLine[]> {
  for await (const batch of batches) {
    const parts = queues.length === 1 ? [batch] : await sorted(batch, queues, options.worker);
    for (const [i, queue] of queues.entries()) add(counts, await queue.settle(parts[i] ?? [], options));
    yield batch;
  }
}

function add(counts: SettleCounts, more: SettleCounts): void {
  for (const key of SETTLED) counts[key] += more[key];
  if (counts.strangers.length < STRANGERS) counts.strangers.push(...more.strangers);
}

/**
 * Sorts verdicts by queue: the one from which the worker has the task, else one that has the task, else the
 * first.
 */
async function sorted(
  batch: readonly Verdict[],
  queues: readonly Queue[],
  worker: string | undefined,
): Promise<readonly (readonly Verdict[])[]> {
  const uuids = batch.map(({ uuid }) => uuid);
  const claims = await Promise.all(queues.map((queue) => queue.claims(uuids, worker)));
  const parts: Verdict[][] = queues.map(() => []);
  for (const [i, verdict] of batch.entries()) {
    const strengths = claims.map((claim) => claim[i] ?? 0);
    parts[strengths.indexOf(Math.max(...strengths))]?.push(verdict);
  }
  return parts;
}
