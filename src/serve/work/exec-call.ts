import { TaskpipeError } from '../../core/base/errors.ts';
import { milliseconds } from '../../core/options/units.ts';
import { splitWords } from '../../executors/program/command-words.ts';
import { type Call, NO_TASK, programOf } from '../../executors/program/start-program.ts';

/** Options of the service that are passed to a `task-exec`, unless its command has them. */
export interface PassedOptions {
  /** Time limit of a task, in milliseconds. */
  readonly timeout: number;
  /** Time that running tasks have after a stop, in milliseconds; undefined: as in the command. */
  readonly grace: number | undefined;
  readonly logDir: string | undefined;
}

/** Program to start as the stage. */
export interface ExecCall {
  /** Command as typed, for messages. */
  readonly name: string;
  readonly file: string;
  readonly args: readonly string[];
  /** True for a `task-exec`, which receives cancellations through a channel. */
  readonly isTaskExec: boolean;
  /** True if it reports its events on descriptor 3. */
  readonly hasEvents: boolean;
  /** Time to wait for its end after a stop, in milliseconds. */
  readonly grace: number;
  /** Folder of the logs of tasks. */
  readonly logDir: string | undefined;
}

/** Default of `--grace` of a `task-exec`, and the grace of other programs, in milliseconds. */
const GRACE = 10_000;
/** Time by which the timeout of an attempt exceeds that of the task, so that the service reports first, in milliseconds. */
const SLACK = 5000;
const LONGEST = 2 ** 31 - 1;
const KINDS = ['command', 'worker', 'module', 'flow', 'http'];

/**
 * Returns the program to start.
 * @throws {TaskpipeError} `USAGE` if it does not exist, or if its options contradict those of the service
 */
export function execCall(
  command: string,
  passed: PassedOptions,
  options: { shell?: boolean | undefined; environment: Readonly<Record<string, string | undefined>> },
): ExecCall {
  const { shell = false, environment } = options;
  const { file, words } = programOf('exec', command, { shell, environment }).callFor(NO_TASK) as Call;
  const args = words.slice(1);
  const plain = { name: command, file, args, isTaskExec: false, hasEvents: false };
  if (shell || !splitWords(command, false).some((word) => /(^|\/)task-exec$/.test(word)))
    return { ...plain, grace: passed.grace ?? GRACE, logDir: passed.logDir };
  const added: string[] = [];
  const give = (name: string, value: string | undefined): string | undefined => {
    const own = optionIn(args, name);
    if (own === undefined && value !== undefined) added.push(`--${name}=${value}`);
    return own ?? value;
  };
  const hasEvents = give('events', '/dev/fd/3') === '/dev/fd/3';
  const kind = KINDS.find((one) => optionIn(args, one) !== undefined);
  const limit = Math.min(passed.timeout + SLACK, LONGEST);
  if (kind !== 'http') give('timeout', `${limit}ms`); // requests have their own, shorter default
  const grace = give('grace', passed.grace === undefined ? undefined : `${passed.grace}ms`);
  const hasLogs = kind === 'module' || kind === undefined; // undefined if it is in a --config file
  const logDir = hasLogs ? give('log-dir', passed.logDir) : passed.logDir;
  if (passed.logDir !== undefined && logDir !== passed.logDir)
    throw new TaskpipeError(
      'USAGE',
      `--log-dir is ${passed.logDir}, and that of --exec is ${logDir}; give one of them`,
    );
  return {
    ...{ name: command, file, args: [...args, ...added], isTaskExec: true, hasEvents, logDir },
    grace: milliseconds(grace ?? '') ?? GRACE,
  };
}

/** Returns the value of an option; an empty text if it has none; undefined if the option is missing. */
function optionIn(args: readonly string[], name: string): string | undefined {
  for (const [i, word] of args.entries()) {
    if (word.startsWith(`--${name}=`)) return word.slice(name.length + 3);
    if (word === `--${name}`) return args[i + 1] ?? '';
  }
  return undefined;
}
