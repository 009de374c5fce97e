import type { HttpOptions } from '../http/options.ts';

/** Options of the executor for modules. They can be sent to another thread. */
export interface ModuleOptions {
  /** Path of a JavaScript or TypeScript module. */
  readonly file: string;
  /** Timeout of each attempt, in milliseconds. */
  readonly timeout: number;
  /** True to call the `revert` of the module instead of its work. Default false. */
  readonly revert?: boolean | undefined;
  /** Folder for the log of each task. Default: none. */
  readonly logDir?: string | undefined;
  /** True to show the log lines of tasks. Default false. */
  readonly shows?: boolean | undefined;
  /** Options of `ctx.fetch`. */
  readonly http?: HttpOptions | undefined;
}
