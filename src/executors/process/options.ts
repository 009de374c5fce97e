import { flag, type Option, path, size, value, values } from '../../core/option.ts';
import { CONCEALED } from '../../core/typed.ts';
import { toVariable } from './environment.ts';
import { RETRY_ON, type RetryOn, toRetryOn } from './retry.ts';

/** The default of `--timeout` for programs, in milliseconds: 1 h. */
export const TIMEOUT = 3_600_000;

/** The default of `--max-output`: 16 MiB. */
export const MAX_OUTPUT: number = 16 * 1024 * 1024;

type ProcessOptionTable = {
  readonly shell: Option<boolean>;
  readonly cwd: Option<string | undefined>;
  readonly env: Option<readonly string[]>;
  readonly maxOutput: Option<number>;
  readonly retryOn: Option<RetryOn>;
};

/** The options that all kinds share whose work is done by programs. */
export const processOptions: ProcessOptionTable = {
  shell: flag(
    'let sh run it; values then come as variables, as in "$TASK_url", never as text of the command',
  ),
  cwd: path('the folder it runs in', { placeholder: 'DIR' }),
  env: values(
    'a variable that it gets, beside PATH, HOME, LANG and the like; may be repeated',
    'NAME|NAME=VALUE|START*',
    toVariable,
    { shows: (typed) => typed.replace(/(?<==).*/s, CONCEALED) },
  ),
  maxOutput: size('the most that it may write for a task, before it is killed', {
    default: MAX_OUTPUT,
    shown: '16MB',
  }),
  retryOn: value('what is tried again: exit codes, signal, timeout, died, any', 'LIST', toRetryOn, {
    default: toRetryOn(RETRY_ON),
    shown: RETRY_ON,
  }),
};
