import type { Stage } from './work/stage.ts';

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
  /** Members of the data that make the id: equal values are the same task. Default: a random UUID. */
  readonly idFields?: readonly string[] | undefined;
  /** Time after which a running task fails, in milliseconds. Default 4 h. */
  readonly timeout?: number | undefined;
  /** With `idFields`: age at which a finished task is run again when it is submitted, in milliseconds. Default: never. */
  readonly rerunAfter?: number | undefined;
  /** Command that is run for each task that has ended; it reads the record from its standard input. */
  readonly onDone?: string | undefined;
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
