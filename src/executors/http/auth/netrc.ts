import type { HttpAccount } from './header-login.ts';

/** Accounts of a netrc file. */
export interface Netrc {
  /** Accounts by host, in lower case. */
  readonly hosts: ReadonlyMap<string, HttpAccount>;
  /** HttpAccount of all other hosts. */
  readonly others: HttpAccount | undefined;
}

/** Word of a netrc file: plain, or between quotes with the escapes of curl. */
const WORD = /"((?:[^"\\]|\\.)*)"|(\S+)/gs;

/**
 * Parses a netrc file as curl does: words between white space, quotes, comments from `#` at the start of a line, and
 * macros, which are skipped. The first entry of a host counts. Entries without a user or a password are ignored.
 */
export function parseNetrc(text: string): Netrc {
  const hosts = new Map<string, HttpAccount>();
  let others: HttpAccount | undefined;
  for (const { host, user, password } of entriesIn(text)) {
    if (user === undefined || password === undefined) continue;
    const account = { user, password };
    if (host === undefined) others ??= account;
    else if (!hosts.has(host)) hosts.set(host, account);
  }
  return { hosts, others };
}

interface Entry {
  readonly host: string | undefined;
  user?: string;
  password?: string;
}

function entriesIn(text: string): Entry[] {
  const entries: Entry[] = [];
  const words = wordsIn(text);
  for (let word = words.next(); word !== undefined; word = words.next()) {
    const last = entries.at(-1);
    if (word === 'machine') entries.push({ host: words.next()?.toLowerCase() ?? '' });
    else if (word === 'default') entries.push({ host: undefined });
    else if (word === 'login') assign(last, 'user', words.next());
    else if (word === 'password') assign(last, 'password', words.next());
    else if (word === 'account') words.next();
  }
  return entries;
}

function assign(entry: Entry | undefined, key: 'user' | 'password', value: string | undefined): void {
  if (entry !== undefined && value !== undefined) entry[key] ??= value;
}

/** Returns the words of a file without its comments and macros. A macro ends with an empty line. */
function wordsIn(text: string): { next(): string | undefined } {
  const kept = text
    .replace(/\r/g, '')
    .replace(/^[ \t]*#.*$/gm, '')
    .replace(/(^|\s)macdef\s[\s\S]*?(\n[ \t]*\n|$(?![\s\S]))/g, '$1');
  const found = kept.matchAll(WORD);
  const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };
  return {
    next() {
      const [, quoted, plain] = found.next().value ?? [];
      return plain ?? quoted?.replace(/\\(.)/gs, (_: string, one: string) => escapes[one] ?? one);
    },
  };
}
