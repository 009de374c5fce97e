import { TaskpipeError } from '../../core/base/errors.ts';
import type { Io } from '../../core/options/command.ts';
import type { OptionValues } from '../../core/options/option.ts';
import type { Rate } from '../../core/schedule/rate.ts';
import { openQueues, type Queues } from '../../queues/index.ts';
import { type connectionOptions, namesOf, settingsOf } from '../../queues/options.ts';

/** The options of `task-exec` that a queue has to do with. */
export interface QueueValues extends OptionValues<typeof connectionOptions> {
  readonly shared: boolean;
  readonly hostRate: Rate | undefined;
  readonly spool: string | undefined;
  readonly module?: unknown;
}

/** Closes what is open after an error that ends the run. */
export function closing(close: () => Promise<void>): (error: unknown) => Promise<never> {
  return async (error) => {
    await close();
    throw error;
  };
}

/** The queue that tasks are added to, where they are, or that rates are shared through. */
export async function openShared(values: QueueValues, io: Io): Promise<Queues | undefined> {
  const { queue, shared, hostRate, module, spool } = values;
  const fail = (words: string): never => {
    throw new TaskpipeError('USAGE', words);
  };
  if (shared && (hostRate === undefined || !queue))
    fail('--shared needs --host-rate, as in 5/s, and --queue, the Redis that counts for all');
  if (!queue || (module === undefined && !shared)) return undefined;
  if (spool !== undefined) fail('--spool and --queue both take the tasks that the module adds; give one');
  return openQueues(queue, module === undefined ? [] : namesOf(values.name), settingsOf(values, io));
}
