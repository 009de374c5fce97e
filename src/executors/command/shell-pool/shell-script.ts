/*
 * What is said to the shell of a slot. All of it is text of ours, but for what stands in single quotes and in a
 * here-document whose end marker is quoted: there a shell takes every character as it is.
 *
 * A command is `exec` in a subshell, and so one fork. `exec` runs a file, never a builtin or a function; what the
 * shell has to say of a command that was killed goes to its own standard error, and not to the command's.
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { quote } from 'shlex';
import type { Job, Setup } from './job.ts';

/** What is a slot's own. */
export interface JobPlace {
  /** What nobody can guess: it begins what the shell says to us. */
  readonly nonce: string;
  /** The name that the shell is called by, and so names in its messages. By the last part shells know what to be. */
  readonly argv0: string;
  /** The FIFOs of a command's outputs. */
  readonly stdout: string;
  readonly stderr: string;
  /** A file, for input that is too long for a here-document. */
  readonly stdin: string;
}

/** The place of a slot. @param path the folder, and the beginning of the names in it */
export function placeOf(folder: string, number: number): JobPlace {
  const nonce = `task-exec-${randomBytes(12).toString('hex')}`;
  const [stdout, stderr, stdin] = ['out', 'err', 'in'].map((end) => join(folder, `${number}.${end}`)) as [
    string,
    string,
    string,
  ];
  return { nonce, argv0: `/${nonce}/sh`, stdout, stderr, stdin };
}

/** Variables that a shell would take for its own, change, or leave out: `env` has to set them. */
const SHELLS_OWN =
  /\W|^(\d.*|_|PWD|OLDPWD|SHLVL|IFS|ENV|PPID|E?UID|LINENO|RANDOM|SECONDS|OPT\w+|PS\d|SHELLOPTS|POSIXLY_CORRECT|BASH\w*)$/;

/** The variables of a setup: those that its shells are started with, and the others, as `env` takes them. */
export function dividedEnv(env: Setup['env']): { env: Record<string, string>; others: string[] } {
  const own = Object.entries(env).filter(([name]) => SHELLS_OWN.test(name));
  const rest = Object.entries(env).filter(([name]) => !SHELLS_OWN.test(name));
  return { env: Object.fromEntries(rest), others: own.map(([name, value]) => `${name}=${value}`) };
}

/** Has the shell say how the last command ended. */
const report = ({ nonce }: JobPlace): string => `echo ${nonce}:$?\n`;

/**
 * What a shell is told first: it is to outlive a SIGTERM to its group, so that it can say how the command ended; to
 * say all on its standard error; to add no variables; to say `builtin` if it is one of the few whose `exec` runs
 * builtins, too (mksh: no other finds a `:`); and to make the FIFOs.
 */
export function prologue(place: JobPlace): string {
  const fifos = `${quote(place.stdout)} ${quote(place.stderr)}`;
  const make = `command -p mkfifo ${fifos} 2>/dev/null || mkfifo ${fifos}`;
  const ask = '(exec :) 2>/dev/null && echo builtin';
  return `trap : TERM\nexec >&2\nunset PWD OLDPWD SHLVL _\n${ask}\n${make}\n${report(place)}`;
}

/** The longest here-document that a shell writes to a pipe by itself (PIPE_BUF), in bytes. */
const SHORT = 4096;

/** Whether a here-document can be the input. Else it has to be in the file. */
export function fitsInScript(input: string, { nonce }: JobPlace): boolean {
  const isText = input.endsWith('\n') && !input.includes('\0') && !input.includes(nonce);
  return isText && Buffer.byteLength(input) <= SHORT;
}

/**
 * What a shell is told for a command.
 * @param before words that go before those of the order: none, or `env` and its own
 */
export function orderText(order: Job, setup: Setup, place: JobPlace, before: readonly string[]): string {
  const words = [...before, calledBy(order, setup), ...order.words.slice(1)].map(quote).join(' ');
  const variables = Object.entries(order.env).map(([name, value]) => `${name}=${quote(value)} `);
  const outputs = `>${quote(place.stdout)} 2>${quote(place.stderr)}`;
  const [input, body] = fitsInScript(order.input, place)
    ? [`<<'${place.nonce}'`, `${order.input}${place.nonce}\n`]
    : [`<${quote(place.stdin)}`, ''];
  return `(${variables.join('')}exec ${words} ${outputs} ${input})\n${body}${report(place)}`;
}

/** Its own name for a program, where a shell finds the same file by it; else the file. */
function calledBy({ file, words }: Job, { env }: Setup): string {
  const [name = file] = words;
  const isFound = name.includes('/') || (env.PATH !== undefined && file.endsWith(`/${name}`));
  return isFound && !name.startsWith('-') && file !== '/bin/sh' ? name : file;
}
