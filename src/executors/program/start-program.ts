import { accessSync, constants, statSync } from 'node:fs';
import { isAbsolute, resolve } from 'node:path';
import { quote } from 'shlex';
import { TaskpipeError } from '../../core/base/errors.ts';
import { InvalidValue, optionName } from '../../core/options/option.ts';
import { type Failure, Task } from '../../core/record/task.ts';
import { compileTemplate, type Template } from '../../core/record/template.ts';
import { encodeUtf8 } from '../../core/text/encoding.ts';
import { type BatchNames, batchWords, checkBatchNames, checkBatchVariables } from './batch-words.ts';
import { splitWords } from './command-words.ts';
import { childEnvironment, type Environment, variablesFor } from './environment.ts';
import { placeholderText, programText, type Turn } from './placeholders.ts';

/** Program to start: a file and its words; the first word is the name under which it is called. */
export interface Call {
  readonly file: string;
  readonly words: readonly string[];
  /** Variables besides those of the program. */
  readonly env: Environment;
}

/** Command as typed, ready to be started. */
export interface Program {
  /** Name for messages. */
  readonly name: string;
  readonly cwd: string | undefined;
  /** Environment of all its calls. */
  readonly env: Environment;
  /** Returns the call for a task, or the failure if there is none. */
  callFor(task: Task, turn?: Turn): Call | Failure;
  /** Returns the call for the tasks of a batch, or the failure if there is none. Only with `batch`. */
  callForAll?(tasks: readonly Task[], turn?: Turn): Call | Failure;
  /** Returns a call as a shell command line. */
  show(call: Call): string;
}

export interface ProgramOptions extends BatchNames {
  /** True to run the command with `sh -c`. */
  readonly shell?: boolean | undefined;
  readonly cwd?: string | undefined;
  /** Variables to pass on, see `toVariable`. */
  readonly env?: readonly string[] | undefined;
  /** Environment of this process. Default: empty. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

/**
 * Prepares a command.
 * @param key option that the command was given for; words of `command` are templates
 * @throws {TaskpipeError} `USAGE` if it cannot be split, or there is no such program or folder
 */
export function programOf(
  key: 'command' | 'worker' | 'exec' | 'onDone',
  typed: string,
  options: ProgramOptions,
): Program {
  const { shell = false, cwd, environment = {} } = options;
  const env = childEnvironment(environment, options.env);
  if (cwd !== undefined && !statSync(cwd, { throwIfNoEntry: false })?.isDirectory())
    throw new TaskpipeError('USAGE', `--cwd must be a folder; got ${JSON.stringify(cwd)}`);
  try {
    const plain = key === 'command' ? commandCalls : workerCalls;
    return {
      ...(shell ? shellCalls(typed, key, options) : plain(typed, env, cwd, options)),
      cwd,
      env,
      show: (call) => shown(call, cwd),
    };
  } catch (error) {
    if (!(error instanceof InvalidValue)) throw error;
    throw new TaskpipeError('USAGE', `${optionName(key)} ${error.message}; got ${JSON.stringify(typed)}`);
  }
}

type Calls = Pick<Program, 'name' | 'callFor' | 'callForAll'>;

function workerCalls(typed: string, env: Environment, cwd: string | undefined): Calls {
  const words = splitWords(typed, false);
  const [name = ''] = words;
  const call = { file: findProgram(name, env.PATH, cwd), words, env: {} };
  return { name, callFor: () => call };
}

function commandCalls(typed: string, env: Environment, cwd: string | undefined, batches: BatchNames): Calls {
  const words = splitWords(typed, true).map(compileTemplate);
  const [first] = words as [Template, ...Template[]];
  checkBatchNames(words, batches);
  refuseScript(words);
  const fixed = first.names.length === 0 ? String(first.expand(NO_TASK)) : undefined;
  const file = fixed === undefined ? undefined : findProgram(fixed, env.PATH, cwd);
  if (batches.batch !== undefined) return batchCalls(words, fixed, file);
  return {
    name: fixed ?? 'the command',
    callFor(task, turn = FIRST) {
      const lookUp = (of: Task, name: string): string | undefined => placeholderText(of, name, turn);
      const filled: string[] = [];
      for (const word of words) {
        const text = word.expand(task, undefined, lookUp);
        if (typeof text !== 'string') return text;
        filled.push(text);
      }
      return { file: file ?? (filled[0] as string), words: filled, env: ownVariables(task, turn) };
    },
  };
}

/** @param fixed name of the program, if no attribute is a part of it */
function batchCalls(
  words: readonly Template[],
  fixed: string | undefined,
  file: string | undefined,
): Required<Calls> {
  const callForAll = (tasks: readonly Task[], turn = FIRST): Call | Failure => {
    const filled = batchWords(words, tasks, turn);
    if (!Array.isArray(filled)) return filled as Failure;
    return { file: file ?? (filled[0] as string), words: filled, env: batchVariables(tasks, turn) };
  };
  return { name: fixed ?? 'the command', callFor: (task, turn) => callForAll([task], turn), callForAll };
}

function batchVariables({ length }: readonly Task[], { number, slot }: Turn): Environment {
  return { TASK_BATCH_SIZE: String(length), TASK_NUMBER: String(number), TASK_SLOT: String(slot) };
}

/** Position of a command that is only described. */
const FIRST: Turn = { number: 1, slot: 1 };

function ownVariables({ uuid }: Task, { number, slot }: Turn): Environment {
  return { TASK_UUID: uuid, TASK_NUMBER: String(number), TASK_SLOT: String(slot) };
}

/** Task without attributes, for calls that are the same for all tasks. */
export const NO_TASK: Task = new Task('', '{}');

/** Refuses a value inside the text of a shell, which would run it as code. */
function refuseScript(words: readonly Template[]): void {
  const texts = words.map((word) => (word.names.length === 0 ? String(word.expand(NO_TASK)) : ''));
  if (!/^(.*\/)?(ba|da|k|z|a)?sh$/.test(texts[0] ?? '')) return;
  const option = texts.findIndex((text) => /^-\w*c$/.test(text));
  const name = option < 0 ? undefined : words[option + 1]?.names[0];
  if (name === undefined) return;
  throw new InvalidValue(
    `must not put {${name}} into shell code: use --shell without sh -c, and write "${variableFor(name)}" (literal braces are doubled: {{ }})`,
  );
}

/** Returns the variable with the value of a placeholder. */
function variableFor(name: string): string {
  if (name === '#') return '$TASK_NUMBER';
  return name === '%' ? '$TASK_SLOT' : `$TASK_${name.replace(/\W/g, '_')}`;
}

function shellCalls(typed: string, key: Parameters<typeof programOf>[0], batches: BatchNames): Calls {
  if (typed.trim() === '') throw new InvalidValue('must be a command');
  const call = { file: '/bin/sh', words: ['sh', '-c', typed] };
  if (key !== 'command') return { name: 'sh', callFor: () => ({ ...call, env: {} }) };
  const [brace] = /(?<!\$)\{(?:[\w.-]+|[#%])\}/.exec(typed) ?? [];
  if (brace !== undefined) {
    throw new InvalidValue(
      `must not contain ${brace} with --shell: write "${variableFor(brace.slice(1, -1))}" (literal braces need a space inside)`,
    );
  }
  const variables = variablesFor(typed);
  checkBatchVariables(typed, batches);
  if (batches.batch !== undefined) return batchShellCalls(call, batches.batchBy);
  return {
    name: 'sh',
    callFor(task, turn = FIRST) {
      const made = variables.of(task);
      return isFailure(made) ? made : { ...call, env: { ...made, ...ownVariables(task, turn) } };
    },
  };
}

function batchShellCalls(call: Omit<Call, 'env'>, batchBy: string | undefined): Required<Calls> {
  const callForAll = (tasks: readonly Task[], turn = FIRST): Call | Failure => {
    const [first] = tasks as [Task, ...Task[]];
    const value = batchBy === undefined ? undefined : programText(first, batchBy);
    const shared = value === undefined ? {} : { [`TASK_${batchBy?.replace(/\W/g, '_')}`]: value };
    return { ...call, env: { ...shared, ...batchVariables(tasks, turn) } };
  };
  return { name: 'sh', callFor: (task, turn) => callForAll([task], turn), callForAll };
}

/** Returns whether there is a failure instead. Names of variables begin with `TASK_`, so they do not clash. */
export function isFailure(made: Environment | Call | Failure): made is Failure {
  return 'code' in made;
}

/** Finds a program on the PATH. @throws {InvalidValue} if there is none */
function findProgram(name: string, path: string | undefined, cwd: string | undefined): string {
  const folders = name.includes('/') ? [''] : (path ?? '/usr/local/bin:/usr/bin:/bin').split(':');
  for (const folder of folders) {
    const file = folder === '' ? resolve(cwd ?? '', name) : resolve(cwd ?? '', folder, name);
    if (isProgram(file)) return file;
  }
  const where = isAbsolute(name) || name.includes('/') ? '' : ' on the PATH';
  throw new InvalidValue(`must begin with a program; there is no executable ${JSON.stringify(name)}${where}`);
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

function shown({ words, env }: Call, cwd: string | undefined): string {
  // Variables that every command gets are shown if the command names them.
  const isShown = (name: string): boolean =>
    !/^TASK_(NUMBER|SLOT)$/.test(name) || words.some((word) => word.includes(name));
  const shownOnes = Object.entries(env).filter(([name]) => isShown(name));
  const variables = shownOnes.map(([name, value]) => `${name}=${quotedWord(value)}`);
  const line = [...variables, ...words.map(quotedWord)].join(' ');
  return cwd === undefined ? line : `(cd ${quote(cwd)} && ${line})`;
}

/** Quotes a word for a shell. A word that is not UTF-8 is quoted in the form of bash, zsh and ksh. */
function quotedWord(word: string): string {
  if (word.isWellFormed()) return quote(word);
  const octal = (byte: string): string => `\\${byte.charCodeAt(0).toString(8).padStart(3, '0')}`;
  return `$'${encodeUtf8(word)
    .toString('latin1')
    .replace(/[^ -&(-[\]-~]/g, octal)}'`;
}
