import type { BadInput } from '../../src/core/text/lines.ts';
import { type LoadOptions, load } from '../../src/stages/load/load.ts';

/** Result of a load. */
export interface Loaded {
  /** Attributes of the tasks, without their uuids. */
  readonly tasks: readonly unknown[];
  readonly bad: readonly BadInput[];
  readonly notes: readonly string[];
}

/** Loads bytes as from the standard input, in chunks of this length. */
export async function loaded(
  input: string | Buffer,
  options: LoadOptions = {},
  length = Number.POSITIVE_INFINITY,
): Promise<Loaded> {
  const bytes = Buffer.from(input as string);
  const bad: BadInput[] = [];
  const notes: string[] = [];
  const tasks: unknown[] = [];
  const stdin = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
  };
  const given = { reject: (one: BadInput) => bad.push(one), info: (words: string) => notes.push(words) };
  for await (const batch of load('-', { duplicates: 'keep', ...given, ...options, stdin }))
    tasks.push(...batch.map(({ fields: { uuid: _, ...rest } }) => rest));
  return { tasks, bad, notes };
}

/** Returns the tasks alone, with the bytes in chunks of several lengths. Throws if a row is rejected. */
export async function tasksOf(
  input: string | Buffer,
  options: LoadOptions = {},
): Promise<readonly unknown[]> {
  const whole = await loaded(input, options);
  for (const length of [1, 7]) {
    const cut = await loaded(input, options, length);
    if (JSON.stringify(cut) !== JSON.stringify(whole))
      throw new Error(`in pieces of ${length}: ${JSON.stringify(cut)}`);
  }
  if (whole.bad.length > 0) throw new Error(`rejected: ${JSON.stringify(whole.bad)}`);
  return whole.tasks;
}
