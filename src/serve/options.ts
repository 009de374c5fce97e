import type { Stage, StageDeath } from './work/stage.ts';

/** Options of the service. */
export interface AppOptions {
  /** Path of the database; it is created if it does not exist. */
  readonly store: string;
  /**
   * The stage that runs the tasks: a command such as `task-exec --module work.mjs`, or a stage such as `exec(work)`.
   * Default: none; `give` gets the tasks, and a `task-save` writes their results to the database.
   */
  readonly exec?: string | Stage | undefined;
  /** Called with the tasks to run if there is no `exec`. */
  readonly give?: ((lines: string) => Promise<void>) | undefined;
  /** True to run `exec` with `sh -c`. Default false. */
  readonly shell?: boolean | undefined;
  /** Members of the data from which the id is made: equal values are the same task. Default: a random UUID. */
  readonly idFields?: readonly string[] | undefined;
  /**
   * Returns the id of a task, from its data; 1 to 256 printable characters. Default: made from `idFields`, or random.
   * If it throws, the request is answered with 400.
   */
  readonly taskId?: ((data: Readonly<Record<string, unknown>>) => string | Promise<string>) | undefined;
  /**
   * Returns the answer of GET for a task, instead of the stored task. Default: the stored task.
   * @param stored the stored task, as GET answers it; undefined if there is none
   * @returns undefined if there is no such task
   */
  readonly retrieve?:
    | ((taskId: string, stored: Readonly<Record<string, unknown>> | undefined) => unknown)
    | undefined;
  /** Time after which a running task fails, retries included, in milliseconds. Default 4 h. */
  readonly timeout?: number | undefined;
  /** With ids from the data: age at which an ended task is run again when it is submitted, in milliseconds. Default: never. */
  readonly rerunAfter?: number | undefined;
  /** With ids from the data: whether a task that failed or was cancelled is run again when it is submitted. Default true. */
  readonly rerunFailed?: boolean | undefined;
  /** Age at which an ended task is deleted, with its result and its log, in milliseconds. Default: never. */
  readonly keep?: number | undefined;
  /**
   * Called with the record of each task that has ended; or a command that is run for it, and reads the record from its
   * standard input. An error is reported to `warn`.
   */
  readonly onDone?: string | ((record: Readonly<Record<string, unknown>>) => unknown) | undefined;
  /** Time that running tasks have to finish after a stop, in milliseconds. Default: that of `exec`, else 10 s. */
  readonly grace?: number | undefined;
  /** Folder of the logs of tasks, `UUID.log`; passed to a `task-exec` as `--log-dir`. */
  readonly logDir?: string | undefined;
  /** Token that requests must send as `Authorization: Bearer …`. Default: none. */
  readonly token?: string | undefined;
  /** Host names that are accepted besides those of the loopback interface. */
  readonly allowHost?: readonly string[] | undefined;
  /** Origins whose pages may send requests, such as `https://example.com`. Default: its own. */
  readonly allowOrigin?: readonly string[] | undefined;
  /** Maximum size of a request body, in bytes. Default 1 MiB; a batch may have 16 times as much. */
  readonly maxBody?: number | undefined;
  /** Maximum number of unfinished tasks; further ones are answered with 429. Default 100,000. */
  readonly backlog?: number | undefined;
  /** Maximum number of connections. Default 1000. */
  readonly maxConnections?: number | undefined;
  /** Maximum number of tasks in flight in `exec`. Default 1000. */
  readonly window?: number | undefined;
  /** Time limit for receiving a request, in milliseconds. Default 10 s. */
  readonly requestTimeout?: number | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Aborted to let `exec` finish its running tasks; `aborting` then kills it. */
  readonly stopping?: AbortSignal | undefined;
  readonly aborting?: AbortSignal | undefined;
  /**
   * Called if a task-exec of `exec` refuses its options, or a file that they name, at its first start. Default: it is
   * started again.
   */
  readonly onBroken?: ((death: StageDeath) => void) | undefined;
  /** Called with each message for people. */
  readonly warn?: ((message: string) => void) | undefined;
}

/** Default values. */
export const DEFAULTS: Readonly<
  Record<'timeout' | 'maxBody' | 'backlog' | 'maxConnections' | 'window' | 'requestTimeout', number>
> = {
  timeout: 4 * 3_600_000,
  maxBody: 1024 * 1024,
  backlog: 100_000,
  maxConnections: 1000,
  window: 1000,
  requestTimeout: 10_000,
};
