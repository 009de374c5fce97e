/*
 * Reports of shells. A shell writes to its stderr: a message if a signal killed the command or it could not be
 * started, then the nonce and the status. dash, busybox ash and mksh say `Killed`, bash says `/NONCE/sh: line
 * 9: 15646 Killed  (exec …)`, so any message counts. All are silent after SIGINT and SIGPIPE, which then look
 * like exit code 130 or 141.
 */
import { accessSync, constants as files, statSync } from 'node:fs';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { systemCode } from '../../../core/base/errors.ts';
import type { Setup, ShellJob } from './job.ts';
import type { JobPlace } from './shell-script.ts';

/** End of a command as the shell reports it. */
export interface ShellExit {
  /** Everything before the status. */
  readonly said: string;
  readonly status: number;
}

/** Fate of a command: exit, signal, or not started. */
export type Fate =
  | { readonly exit: number | null; readonly signal: string | null }
  | { readonly fault: string };

/** Finds the end of a command in the output of the shell; undefined if it is not there yet. */
export function endedIn(text: string, { nonce }: JobPlace): ShellExit | undefined {
  const at = text.indexOf(`${nonce}:`);
  if (at < 0 || !text.endsWith('\n')) return undefined;
  return { said: text.slice(0, at), status: Number(text.slice(at + nonce.length + 1)) };
}

/** Names of signals by number. If there are two, the first is the usual one. */
const SIGNALS: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.signals)
    .reverse()
    .map(([name, number]) => [number, name]),
);

/** Returns how a command ended, without looking at its stderr. */
export function fateOf({ said, status }: ShellExit, place: JobPlace): Fate {
  const words = withoutRetries(said, place);
  if (words === '') return { exit: status, signal: null };
  const number = status & 127; // 128 and the number; some shells use 256 or 384
  if (status > 128 && !isNoFork(words)) return { exit: null, signal: SIGNALS.get(number) ?? `SIG${number}` };
  // A message without the name of the shell is a warning of the command.
  return isNoFork(words) || words.includes(place.argv0)
    ? { fault: faultSaid(words) }
    : { exit: status, signal: null };
}

/** Returns the reason a shell ended, or the error code if it was not started; undefined if it was killed. */
export function faultOfDeath(said: string, { argv0 }: JobPlace): string | undefined {
  return said.startsWith(argv0) || /^E[A-Z\d_]+$/.test(said) ? faultSaid(said) : undefined;
}

function faultSaid(words: string): string {
  return isNoFork(words) ? 'EAGAIN' : lastPart(words);
}

/** Matches `sh: 3: Cannot fork` and `sh: fork: Resource temporarily unavailable`. */
function isNoFork(words: string): boolean {
  return /^\S+: (\S+: )?(can't |cannot )?fork\b/i.test(words);
}

/** Removes the messages of bash about forks that it retries. */
function withoutRetries(said: string, { argv0 }: JobPlace): string {
  return said.includes(': fork: ')
    ? said.replaceAll(`${argv0}: fork: retry: `, '\0').replace(/\0.*\n/g, '')
    : said;
}

function lastPart(words: string): string {
  return words.trim().split('\n').at(-1)?.split(': ').at(-1) ?? '';
}

/** Total length of words and variables from which they may be too long: 128 KiB for one, on Linux. */
const LONG = 128 * 1024;

/**
 * Returns the reason a command was not started, if the shell reports status 126 or 127 and a message on the stderr of
 * the command. The message may be in any language, so it is used only if nothing else is known.
 * @param callers programs that may say it: the shell, perhaps `env`
 */
export function faultIn(
  status: number | null,
  stderr: Buffer,
  job: ShellJob,
  setup: Setup,
  callers: readonly string[],
): string | undefined {
  if (status !== 126 && status !== 127) return undefined;
  const said = stderr.toString();
  if (!callers.some((caller) => said.startsWith(`${caller}: `) || said.startsWith(`E: ${caller}: `)))
    return undefined;
  if (status === 127) return 'ENOENT';
  const { file, words, env } = job;
  if (file.includes('/')) {
    const path = resolve(setup.cwd ?? '', file);
    try {
      accessSync(path, files.X_OK);
      if (statSync(path).isDirectory()) return 'EACCES';
    } catch (error) {
      return systemCode(error) ?? 'EACCES';
    }
  }
  const all = [...words, ...Object.entries({ ...setup.env, ...env }).flat()];
  const length = all.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
  return length >= LONG ? 'E2BIG' : lastPart(said);
}
