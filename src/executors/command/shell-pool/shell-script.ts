/*
 * Text that is sent to the shell of a slot. All of it is ours except what stands in single quotes and in
 * here-documents with a quoted end marker; there a shell takes every character literally.
 *
 * A command is an `exec` in a subshell, which costs one fork. `exec` runs a file, never a builtin or a
 * function. What the shell itself says about a killed command goes to the stderr of the shell, not to that of
 * the command.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { quote } from 'shlex';
import type { Setup, ShellJob } from './job.ts';

/** Names and files of a slot. */
export interface JobPlace {
  /** Random text that cannot be guessed: it begins the reports of the shell. */
  readonly nonce: string;
  /**
   * Name by which the shell is called and which it uses in messages. Shells choose their mode by its last part.
   */
  readonly argv0: string;
  /** FIFOs for the outputs of a command. */
  readonly stdout: string;
  readonly stderr: string;
  /** File for input that is too long for a here-document. */
  readonly stdin: string;
}

/** Returns the names and files of a slot. */
export function placeOf(folder: string, number: number): JobPlace {
  const nonce = `task-exec-${randomBytes(12).toString('hex')}`;
  const [stdout, stderr, stdin] = ['out', 'err', 'in'].map((end) => join(folder, `${number}.${end}`)) as [
    string,
    string,
    string,
  ];
  return { nonce, argv0: `/${nonce}/sh`, stdout, stderr, stdin };
}

/** Variables that a shell would use itself, change, or drop; `env` has to set them. */
const SHELLS_OWN =
  /\W|^(\d.*|_|PWD|OLDPWD|SHLVL|IFS|ENV|PPID|E?UID|LINENO|RANDOM|SECONDS|OPT\w+|PS\d|SHELLOPTS|POSIXLY_CORRECT|BASH\w*)$/;

/** Splits variables into those that the shell is started with and others, in the form that `env` takes. */
export function dividedEnv(env: Setup['env']): { env: Record<string, string>; others: string[] } {
  const own = Object.entries(env).filter(([name]) => SHELLS_OWN.test(name));
  const rest = Object.entries(env).filter(([name]) => !SHELLS_OWN.test(name));
  return { env: Object.fromEntries(rest), others: own.map(([name, value]) => `${name}=${value}`) };
}

/** Makes the shell report how the last command ended. */
const report = ({ nonce }: JobPlace): string => `echo ${nonce}:$?\n`;

/**
 * Returns the first text for a shell. The shell must survive a SIGTERM to its group, so that it can report how the
 * command ended; write all messages to its stderr; add no variables; say `builtin` if its `exec` also runs builtins
 * (only mksh finds a `:`); and create the FIFOs.
 */
export function prologue(place: JobPlace): string {
  const fifos = `${quote(place.stdout)} ${quote(place.stderr)}`;
  const make = `command -p mkfifo ${fifos} 2>/dev/null || mkfifo ${fifos}`;
  const ask = '(exec :) 2>/dev/null && echo builtin';
  return `trap : TERM\nexec >&2\nunset PWD OLDPWD SHLVL _\n${ask}\n${make}\n${report(place)}`;
}

/** Longest here-document that a shell writes to a pipe without help (PIPE_BUF), in bytes. */
const SHORT = 4096;

/** Returns whether the input fits into a here-document. Otherwise it must be in the file. */
export function fitsInScript(input: string, { nonce }: JobPlace): boolean {
  const isText = input.endsWith('\n') && !input.includes('\0') && !input.includes(nonce);
  return isText && Buffer.byteLength(input) <= SHORT;
}

/**
 * Returns the text that runs a command.
 * @param before words before those of the order: none, or `env` and its arguments
 */
export function orderText(job: ShellJob, setup: Setup, place: JobPlace, before: readonly string[]): string {
  const words = [...before, calledBy(job, setup), ...job.words.slice(1)].map(quote).join(' ');
  const variables = Object.entries(job.env).map(([name, value]) => `${name}=${quote(value)} `);
  const { stdout, stderr } = job.files ?? place;
  const outputs = `>${quote(stdout)} 2>${quote(stderr)}`;
  const [input, body] = fitsInScript(job.input, place)
    ? [`<<'${place.nonce}'`, `${job.input}${place.nonce}\n`]
    : [`<${quote(place.stdin)}`, ''];
  return `(${variables.join('')}exec ${words} ${outputs} ${input})\n${body}${report(place)}`;
}

/** Returns the short name of a program if a shell finds the same file by it, else the path of the file. */
function calledBy({ file, words }: ShellJob, { env }: Setup): string {
  const [name = file] = words;
  const isFound = name.includes('/') || (env.PATH !== undefined && file.endsWith(`/${name}`));
  return isFound && !name.startsWith('-') && file !== '/bin/sh' ? name : file;
}
