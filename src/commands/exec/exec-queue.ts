import { TaskpipeError } from '../../core/base/errors.ts';
import type { Io } from '../../core/options/command.ts';
import { kebab, type OptionValues } from '../../core/options/option.ts';
import type { Rate } from '../../core/schedule/rate.ts';
import { openQueues, type Queues } from '../../queues/index.ts';
import { type connectionOptions, namesOf, settingsOf } from '../../queues/options.ts';

/** Options of `task-exec` that concern a queue. */
export interface QueueValues extends OptionValues<typeof connectionOptions> {
  readonly shared: boolean;
  readonly hostRate: Rate | undefined;
  readonly quota: readonly unknown[];
  readonly spool: string | undefined;
  readonly module?: unknown;
  readonly http?: unknown;
  readonly next?: unknown;
  readonly ledger?: string | undefined;
}

/** Returns an error handler that closes open resources and rethrows the error. */
export function closing(close: () => Promise<void>): (error: unknown) => Promise<never> {
  return async (error) => {
    await close();
    throw error;
  };
}

/**
 * Opens the queues for added tasks, or the server for shared rates; undefined if neither is asked for.
 * @throws {TaskpipeError} `USAGE` if options are missing or exclude each other
 */
export async function openShared(values: QueueValues, io: Io): Promise<Queues | undefined> {
  const { queue, shared, hostRate, quota, module, next, spool } = values;
  const finds = module !== undefined || next !== undefined;
  const fail = (words: string): never => {
    throw new TaskpipeError('USAGE', words);
  };
  for (const key of ['spool', 'ledger', 'maxPages']) {
    if (values.http === true && next === undefined && io.typed.has(key))
      fail(`--${kebab(key)} has no effect on --http without --next`);
  }
  if (shared && ((hostRate === undefined && quota.length === 0) || !queue))
    fail('--shared needs --host-rate, as in 5/s, or --quota, and --queue, the server that counts for all');
  if (!queue || (!finds && !shared)) return undefined;
  if (spool !== undefined) fail('--spool and --queue both take the tasks that work adds; give one');
  return openQueues(queue, !finds ? [] : namesOf(values.name), settingsOf(values, io));
}
