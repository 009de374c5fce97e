import type { Executor } from '../contract.ts';
import type { Fetcher } from '../http/fetch.ts';
import { loadModule } from '../load-module.ts';
import type { ModuleOptions } from './contract.ts';
import { handlersOf } from './handlers.ts';
import { openLogs } from './logger.ts';
import { moduleWork } from './module-work.ts';

/** Module that is loaded. */
export interface OpenWork {
  readonly attempt: Executor['attempt'];
  /** Absent on other threads. */
  readonly attemptAll?: Executor['attemptAll'];
  readonly batchKey?: Executor['batchKey'];
  close(): Promise<void>;
}

/**
 * Loads a module into this thread.
 * @param show called with the log lines of tasks, if `options.shows` is set
 * @throws {TaskpipeError} `USAGE` if it cannot be loaded, or has no function; `IO` if logs cannot be written
 */
export async function openWork(options: ModuleOptions, show: (line: string) => void): Promise<OpenWork> {
  const { file, timeout, revert = false, logDir, shows = false, http = {} } = options;
  const loggerOf = await openLogs(logDir, shows ? show : undefined); // before the module is loaded, which may change the folder
  const handlers = handlersOf(await loadModule(file, '--module'), file, revert);
  let fetcher: Promise<Fetcher> | undefined;
  const open = (): Promise<Fetcher> => {
    fetcher ??= import('../http/fetch.ts').then(({ openFetcher }) => openFetcher(http));
    return fetcher;
  };
  const services = {
    loggerOf,
    taskId: handlers.taskId,
    fetch:
      (signal: AbortSignal) =>
      async (...request: Parameters<ReturnType<Fetcher['fetch']>>) =>
        (await open()).fetch(signal)(...request),
  };
  const work = moduleWork(handlers, services, timeout);
  return {
    attempt: work.attempt,
    attemptAll: work.attemptAll,
    batchKey: work.batchKey,
    async close() {
      work.close();
      await (await fetcher)?.close();
    },
  };
}
