/*
 * The executor of --module: calls a function for each task, on this thread or on others. Owns the context that it gets.
 * Must not retry: that is for the stage.
 */
import type { OptionValues } from '../../core/options/option.ts';
import type { Executor, Setting } from '../contract.ts';
import { fromValues, type httpOptions } from '../http/options.ts';
import type { ModuleOptions } from './contract.ts';
import { httpPlaces } from './http-places.ts';
import { openWork } from './open-module.ts';
import type { moduleOptions } from './options.ts';
import { openThreads } from './threads/thread-pool.ts';

/** Options that stay on the main thread. */
export interface ModuleSetting {
  /** Number of worker threads. Default: none, the module runs on this thread. */
  readonly threads?: number | undefined;
  /** Called with each line that tasks log. */
  readonly show: (line: string) => void;
}

/**
 * Returns the executor of `--module`, which calls a function of a module for each task.
 * @throws {TaskpipeError} `USAGE` if the module cannot be loaded, or has no function
 */
export async function moduleExecutor(options: ModuleOptions, setting: ModuleSetting): Promise<Executor> {
  const { threads, show } = setting;
  const work =
    threads === undefined
      ? await openWork(options, show)
      : await openThreads({ module: options, count: threads, show });
  const does = options.revert ? 'revert' : 'call';
  return {
    finds: true,
    attempt: work.attempt,
    ...(work.attemptAll !== undefined && { attemptAll: work.attemptAll }),
    ...(work.batchKey !== undefined && { batchKey: work.batchKey }),
    describe: ({ uuid, fields }) => {
      const handler = typeof fields.handler === 'string' ? ` (${fields.handler})` : '';
      return `${does} ${options.file}${handler} for ${uuid}`;
    },
    close: work.close,
  };
}

/** Returns the executor from the values of the command line. */
export function moduleFromValues(
  values: OptionValues<typeof moduleOptions & typeof httpOptions> & { module: string },
  setting: Setting,
): Promise<Executor> {
  const { timeout, revert, logDir, env, info } = setting;
  const { threads } = values;
  // A fetch has its own timeout: the one of the stage is for the whole attempt. Threads cannot show messages.
  const { printCurl: _, timeout: __, info: shown, ...given } = fromValues(values, setting);
  const http = {
    ...httpPlaces(given, threads),
    ...(threads === undefined && { info: shown }),
    env: { ...env },
  };
  const shows = env.DISABLE_STREAM_HANDLER === undefined || env.DISABLE_STREAM_HANDLER === '';
  return moduleExecutor(
    { file: values.module, timeout, revert, logDir, shows, http },
    { threads, show: info },
  );
}
