import type { Stage } from './stage.ts';

/** All that the service can be told. */
export interface AppOptions {
  /** The database: made where there is none. */
  readonly store: string;
  /**
   * What does the tasks: a command such as `task-exec --module work.mjs`, or a stage as `exec(work)` gives it. Default:
   * nobody here; `give` has them, and a `task-save` writes what came of them to the database.
   */
  readonly exec?: string | Stage | undefined;
  /** Is given the tasks that are to be done, where there is no `exec`. */
  readonly give?: ((lines: string) => Promise<void>) | undefined;
  /** Has `sh -c` run `exec`. Default false. */
  readonly shell?: boolean | undefined;
  /** Makes the id of these members of the data: the same data is the same task. Default: a random UUID. */
  readonly idFields?: readonly string[] | undefined;
  /** A task that has been running so long has failed, in milliseconds. Default 4 h. */
  readonly timeout?: number | undefined;
  /** With `idFields`: the same task is done anew where it ended so long ago, in milliseconds. Default: never. */
  readonly rerunAfter?: number | undefined;
  /** A command that is run for each task that has come to its end: the record is on its standard input. */
  readonly onDone?: string | undefined;
  /** Where the logs of tasks are, `UUID.log`; a `task-exec` is given it as `--log-dir`. */
  readonly logDir?: string | undefined;
  /** What has to be shown as `Authorization: Bearer …`. Default: nothing. */
  readonly token?: string | undefined;
  /** Other names that the service may be called by, besides the loopback's. */
  readonly allowHost?: readonly string[] | undefined;
  /** Origins whose pages may ask, as in `https://example.com`. Default: its own. */
  readonly allowOrigin?: readonly string[] | undefined;
  /** The longest body of a request, in bytes. Default 1 MiB; a batch may have 16 times that. */
  readonly maxBody?: number | undefined;
  /** How many tasks may be unfinished; more are answered 429. Default 100,000. */
  readonly backlog?: number | undefined;
  /** How many connections at once. Default 1000. */
  readonly maxConnections?: number | undefined;
  /** How many tasks `exec` is given ahead. Default 1000. */
  readonly window?: number | undefined;
  /** How long a request may take to come in, in milliseconds. Default 10 s. */
  readonly requestTimeout?: number | undefined;
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Aborted: `exec` finishes what runs; then: it is killed. */
  readonly stopping?: AbortSignal | undefined;
  readonly leaving?: AbortSignal | undefined;
  /** A line for people. */
  readonly say?: ((message: string) => void) | undefined;
}

/** What is taken where nothing is said. */
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
