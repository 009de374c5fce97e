/*
 * What the shell of a slot says of a command, on its own standard error: words, where a signal killed the command or
 * the shell could not start it, and then the nonce and the status. dash, busybox ash and mksh say `Killed`, bash
 * `/NONCE/sh: line 9: 15646 Killed  (exec …)`: so any words are. All say nothing where it was SIGINT or SIGPIPE,
 * which can't be told from exit code 130 or 141 then.
 */
import { accessSync, constants as files, statSync } from 'node:fs';
import { constants } from 'node:os';
import { resolve } from 'node:path';
import { systemCode } from '../../../core/base/errors.ts';
import type { Job, Setup } from './job.ts';
import type { JobPlace } from './shell-script.ts';

/** The end of a command, as a shell tells it. */
export interface ShellExit {
  /** All that it said before the status. */
  readonly said: string;
  readonly status: number;
}

/** How a command ended: by itself, by a signal, or before it was started. */
export type Fate =
  | { readonly exit: number | null; readonly signal: string | null }
  | { readonly fault: string };

/** Finds the end of a command in what a shell has said since it was started; undefined where it is not there yet. */
export function endedIn(text: string, { nonce }: JobPlace): ShellExit | undefined {
  const at = text.indexOf(`${nonce}:`);
  if (at < 0 || !text.endsWith('\n')) return undefined;
  return { said: text.slice(0, at), status: Number(text.slice(at + nonce.length + 1)) };
}

/** The names of signals by their numbers; where there are two, the first is the usual one. */
const SIGNALS: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.signals)
    .reverse()
    .map(([name, number]) => [number, name]),
);

/** What an end means, but for what the command's standard error says. */
export function fateOf({ said, status }: ShellExit, place: JobPlace): Fate {
  const words = withoutRetries(said, place);
  if (words === '') return { exit: status, signal: null };
  const number = status & 127; // 128 and the number, in some shells 256 or 384
  if (status > 128 && !isNoFork(words)) return { exit: null, signal: SIGNALS.get(number) ?? `SIG${number}` };
  // What does not name it is no word of the shell on a command: a warning of its own.
  return isNoFork(words) || words.includes(place.argv0)
    ? { fault: faultSaid(words) }
    : { exit: status, signal: null };
}

/** Why a shell went away, or the code for why it was not started, by what it said; undefined where it was killed. */
export function faultOfDeath(said: string, { argv0 }: JobPlace): string | undefined {
  return said.startsWith(argv0) || /^E[A-Z\d_]+$/.test(said) ? faultSaid(said) : undefined;
}

function faultSaid(words: string): string {
  return isNoFork(words) ? 'EAGAIN' : lastPart(words);
}

/** `sh: 3: Cannot fork`, `sh: fork: Resource temporarily unavailable`. */
function isNoFork(words: string): boolean {
  return /^\S+: (\S+: )?(can't |cannot )?fork\b/i.test(words);
}

/** bash tries again for a while, and says so. */
function withoutRetries(said: string, { argv0 }: JobPlace): string {
  return said.includes(': fork: ')
    ? said.replaceAll(`${argv0}: fork: retry: `, '\0').replace(/\0.*\n/g, '')
    : said;
}

function lastPart(words: string): string {
  return words.trim().split('\n').at(-1)?.split(': ').at(-1) ?? '';
}

/** How long words and variables are, all together, before they can be too long: 128 KiB for one, on Linux. */
const LONG = 128 * 1024;

/**
 * Why a command was not started, where a shell gives status 126 or 127 and says so on the standard error that was
 * meant for the command. Its words may be in any language, and so are the last resort.
 * @param callers who says it: the shell, perhaps `env`
 */
export function faultIn(
  status: number | null,
  stderr: Buffer,
  order: Job,
  setup: Setup,
  callers: readonly string[],
): string | undefined {
  if (status !== 126 && status !== 127) return undefined;
  const said = stderr.toString();
  if (!callers.some((caller) => said.startsWith(`${caller}: `) || said.startsWith(`E: ${caller}: `)))
    return undefined;
  if (status === 127) return 'ENOENT';
  const { file, words, env } = order;
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
