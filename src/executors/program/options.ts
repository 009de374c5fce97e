import { flag, path, size, value, values } from '../../core/options/declare.ts';
import type { Option } from '../../core/options/option.ts';
import { CONCEALED } from '../../core/options/secrets.ts';
import { toVariable } from './environment.ts';
import { RETRY_ON, type RetryOn, toRetryOn } from './retry-on.ts';

/** Default of `--timeout` for programs, in milliseconds: 1 h. */
export const TIMEOUT = 3_600_000;

/** Default of `--max-output`: 16 MiB. */
export const MAX_OUTPUT: number = 16 * 1024 * 1024;

type ProcessOptionTable = {
  readonly shell: Option<boolean>;
  readonly cwd: Option<string | undefined>;
  readonly env: Option<readonly string[]>;
  readonly maxOutput: Option<number>;
  readonly retryOn: Option<RetryOn>;
};

/** Options of `--command` and `--worker`. */
export const processOptions: ProcessOptionTable = {
  shell: flag('run CMD with sh; attributes are variables, such as "$TASK_url"', {
    details: 'Values never become text of the command, so no value can be run as code: {name} is refused.',
  }),
  cwd: path('working directory of the program', { placeholder: 'DIR' }),
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
  maxOutput: size('most bytes that a program may write for one task before it is killed', {
    default: MAX_OUTPUT,
    defaultText: '16MB',
  }),
  retryOn: value('failures to retry: exit codes, signal, timeout, died, any', 'LIST', toRetryOn, {
    default: toRetryOn(RETRY_ON),
    defaultText: RETRY_ON,
    details:
      'Exit codes may be ranges, such as 75,100-110. 75 is EX_TEMPFAIL: the program says that another attempt may succeed. died means that a worker ended while it had the task. --retries says how often.',
  }),
};
