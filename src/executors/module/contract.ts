import type { HttpOptions } from '../http/options.ts';

/** Options of the executor for modules. They can be sent to another thread. */
export interface ModuleOptions {
  /** The path of a JavaScript or TypeScript module. */
  readonly file: string;
  /** For each attempt, in milliseconds. */
  readonly timeout: number;
  /** Calls the module's `revert`, in place of its work. Default false. */
  readonly revert?: boolean | undefined;
  /** A folder for the log of each task. Default: none. */
  readonly logDir?: string | undefined;
  /** Whether what tasks log is shown. Default false. */
  readonly shows?: boolean | undefined;
  /** For `ctx.fetch`. */
  readonly http?: HttpOptions | undefined;
}
