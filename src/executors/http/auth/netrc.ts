import { TaskpipeError } from '../../../core/base/errors.ts';
import type { HttpAccount } from './header-login.ts';

/** Entry of a netrc file. */
export interface NetrcEntry {
  /** In lower case; undefined for `default`, which stands for all hosts. */
  readonly host: string | undefined;
  user?: string;
  password?: string;
}

/** Word of a netrc file, plain or in quotes; the groups show whether the quotes are closed. */
const WORD = /\s*(?:"((?:[^"\\]|\\.)*)("?)|([^\s"]\S*))/sy;
/** Macro, which an empty line ends. */
const MACRO = /.*?(?:\n[ \t]*\n|$)/sy;
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

/**
 * Parses a netrc file as curl does: words between white space, quotes with escapes, comments from `#` at the start of a
 * line, and macros, which are skipped. The last login and password of an entry count.
 * @param from name of the file, for the message
 * @throws {TaskpipeError} `USAGE` if a quote is not closed
 */
export function parseNetrc(text: string, from: string): readonly NetrcEntry[] {
  const entries: NetrcEntry[] = [];
  const next = wordsIn(text.replace(/\r/g, '').replace(/^[ \t]*#.*$/gm, ''), from);
  for (let word = next(); word !== undefined; word = next()) {
    const last = entries.at(-1);
    const keyword = word.isQuoted ? '' : word.text.toLowerCase();
    if (keyword === 'machine') entries.push({ host: next()?.text.toLowerCase() ?? '' });
    else if (keyword === 'default') entries.push({ host: undefined });
    else if (keyword === 'macdef') next.skipMacro();
    else if (keyword === 'login' || keyword === 'password' || keyword === 'account') {
      const value = next()?.text;
      if (last === undefined || value === undefined || keyword === 'account') continue;
      last[keyword === 'login' ? 'user' : 'password'] = value;
    }
  }
  return entries;
}

interface Word {
  readonly text: string;
  readonly isQuoted: boolean;
}

/** Returns a function that returns the next word of a text. */
function wordsIn(text: string, from: string): { (): Word | undefined; skipMacro(): void } {
  let place = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    const found = Object.assign(new RegExp(pattern), { lastIndex: place }).exec(text);
    place += found?.[0].length ?? 0;
    return found;
  };
  const next = (): Word | undefined => {
    const [, quoted, end, plain] = take(WORD) ?? [];
    if (plain !== undefined) return { text: plain, isQuoted: false };
    if (quoted === undefined) return undefined;
    if (end === '') throw new TaskpipeError('USAGE', `${from}: a quote " is not closed`);
    const unescaped = quoted.replace(/\\(.)/gs, (_, one: string) => ESCAPES[one] ?? one);
    return { text: unescaped, isQuoted: true };
  };
  return Object.assign(next, { skipMacro: () => void take(MACRO) });
}

/**
 * Returns the account for a host: that of the first entry that fits.
 * @param isNamed whether an entry must name the host
 * @param user of the url; an entry without a login fits any user
 */
export function accountFor(
  entries: readonly NetrcEntry[],
  host: string,
  isNamed: boolean,
  user?: string,
): HttpAccount | undefined {
  for (const entry of entries) {
    if (entry.host === undefined ? isNamed : entry.host !== host) continue;
    const { user: own, password } = entry;
    if (user !== undefined) {
      if (password !== undefined && (own ?? user) === user) return { user, password };
    } else if (own !== undefined || password !== undefined)
      return { user: own ?? '', password: password ?? '' };
  }
  return undefined;
}
