import { flag, path, size, value, values } from '../../core/options/declare.ts';
import { CONCEALED } from '../../core/options/secrets.ts';
import { toVariable } from './environment.ts';
import { RETRY_ON, toRetryOn } from './retry-on.ts';

/** Default of `--timeout` for programs, in milliseconds: 1 h. */
export const TIMEOUT = 3_600_000;

/** Default of `--max-output`: 16 MiB. */
export const MAX_OUTPUT: number = 16 * 1024 * 1024;

/** Options of `--command` and `--worker`. */
export const processOptions = {
  /** True to run the command with `sh -c`; values are variables. Default: no shell. */
  shell: flag('run CMD with sh; attributes are variables, such as "$TASK_url"', {
    details: 'Values never become text of the command, so no value can be run as code: {name} is refused.',
  }),
  /** Working directory. Default: that of this process. */
  cwd: path('working directory of the program', { placeholder: 'DIR' }),
  /** Variables to pass on from `environment`: `NAME`, `NAME=VALUE`, or `AWS_*`. */
  env: values(
    'pass this variable on, besides PATH, HOME, LANG and similar ones; may be repeated',
    'NAME|NAME=VALUE|START*',
    toVariable,
    {
      redact: (typed) => typed.replace(/(?<==).*/s, CONCEALED),
      details:
        'Secrets are often variables, so a program gets none that it does not need. NAME passes a variable on, NAME=VALUE sets it, AWS_* passes on all that begin with AWS_.',
    },
  ),
  /** Maximum number of bytes that a program may write for one task, on both outputs together. Default 16 MiB. */
  maxOutput: size('most bytes that a program may write for one task before it is killed', {
    default: MAX_OUTPUT,
    defaultText: '16MB',
  }),
  /** Failures to retry, made by `toRetryOn`. Default: exit code 75, and tasks whose worker died. */
  retryOn: value('failures to retry: exit codes, signal, timeout, died, any', 'LIST', toRetryOn, {
    default: toRetryOn(RETRY_ON),
    defaultText: RETRY_ON,
    details:
      'Exit codes may be ranges, such as 75,100-110. 75 is EX_TEMPFAIL: the program says that another attempt may succeed. died means that a worker ended while it had the task. --retries says how often.',
  }),
};

/** Options of `command()` and `worker()` that the command line does not have. */
export interface OwnProcessOptions {
  /**
   * Environment of this process. Default: empty; without `PATH`, programs are looked up in the usual folders.
   */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
  /** Timeout of each attempt, in milliseconds. Default 1 h. */
  readonly timeout?: number | undefined;
}
