import { expect } from 'vitest';
import type { BadInput } from '../../src/core/text/lines.ts';
import { type LoadCounts, type LoadOptions, load, loadLines } from '../../src/stages/load/load.ts';

/** Result of a load: the lines, the rejected rows, the counts, and the error that ended it. */
export interface Outcome {
  readonly lines: string;
  readonly rejected: readonly BadInput[];
  readonly counts: Readonly<LoadCounts>;
  readonly error: string | undefined;
  /** Messages for a person, for example about duplicates that differ. */
  readonly notes: readonly string[];
  /** True if any lines were made without tasks. */
  readonly hasPlain: boolean;
}

/** Loads bytes as the standard input, in chunks of these lengths in turn. */
export async function outcome(
  kind: 'tasks' | 'lines',
  bytes: Buffer,
  options: LoadOptions,
  lengths: readonly number[] = [bytes.length],
): Promise<Outcome> {
  const rejected: BadInput[] = [];
  const stdin = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const end = at + (lengths[i % lengths.length] as number);
      yield Buffer.from(bytes.subarray(at, end)); // a copy, to detect a reader that keeps a part of it
      at = end;
    }
  };
  const notes: string[] = [];
  const given: LoadOptions = {
    format: 'csv',
    ...options,
    stdin,
    reject: (one) => rejected.push(one),
    info: (message) => notes.push(message),
  };
  let lines = '';
  let error: string | undefined;
  let hasPlain = false;
  const loading = kind === 'tasks' ? load('-', given) : loadLines(['-'], given);
  try {
    for await (const batch of loading) {
      hasPlain ||= Buffer.isBuffer(batch);
      if (Array.isArray(batch)) for (const { line } of batch) lines += `${line}\n`;
      else lines += batch.toString();
    }
  } catch (caught) {
    error = String(caught);
  }
  rejected.sort((a, b) => a.line - b.line); // in one chunk, invalid rows come before rows without a task
  return { lines, rejected, counts: loading.counts, error, notes, hasPlain };
}

/** Loads bytes as lines and as tasks, and expects that both are the same. Returns the outcome of the lines. */
export async function expectSame(
  bytes: Buffer,
  options: LoadOptions,
  lengths?: readonly number[],
): Promise<Outcome> {
  const { hasPlain: _, ...tasks } = await outcome('tasks', bytes, options, lengths);
  const lines = await outcome('lines', bytes, options, lengths);
  expect(lines).toMatchObject(tasks);
  return lines;
}
