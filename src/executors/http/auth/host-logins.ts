import { TaskpipeError } from '../../../core/base/errors.ts';
import { quoted } from '../../../core/base/terminal-text.ts';
import type { Target } from '../request/target.ts';
import { basicLogin, bearerLogin, type HttpAccount, tokenOf } from './header-login.ts';
import type { Login } from './login.ts';
import { accountFor, parseNetrc } from './netrc.ts';
import { readSecretFile, readSecretObject } from './secret-file.ts';

export interface HostLogins {
  /** Returns the login for a target. @param isNamed whether the file must name its host */
  of(target: Target, isNamed: boolean): Login | undefined;
  /** Returns the login for a user of a target without a known password. Default: there is none. */
  ofUser?(target: Target, user: string): Login | undefined;
}

/** Function that makes the login of an account with the scheme of `--auth`. */
export type AccountLogin = (account: HttpAccount, words: readonly string[]) => Login;

/**
 * Reads `--netrc FILE`.
 * @param words for curl, if it picks the entry itself
 * @param userWords for curl, if the user is that of the url
 * @throws {TaskpipeError} as `readSecretFile`, and `USAGE` if a quote is not closed
 */
export async function readNetrc(
  file: string,
  login: AccountLogin,
  words: readonly string[],
  userWords: readonly string[],
): Promise<HostLogins> {
  const entries = parseNetrc(await readSecretFile('--netrc', file), `--netrc ${file}`);
  const made = new Map<string, Login | undefined>();
  const find = ({ origin }: Target, isNamed: boolean, user?: string): Login | undefined => {
    const host = hostnameOf(origin).replace(/^\[|\]$/g, '');
    const key = JSON.stringify([host, isNamed, user]);
    if (made.has(key)) return made.get(key);
    const account = accountFor(entries, host, isNamed, user);
    const found = account && login(account, user === undefined ? words : userWords);
    made.set(key, found);
    return found;
  };
  return { of: find, ofUser: (target, user) => find(target, false, user) };
}

/**
 * Reads `--logins FILE`: a JSON object of logins by `host`, `host:port` or `https://host:port`. The most specific
 * name counts.
 * @throws {TaskpipeError} as `readSecretFile`, and `USAGE` if an entry is invalid
 */
export async function readLogins(file: string, digest: AccountLogin): Promise<HostLogins> {
  const entries = Object.entries(await readSecretObject('--logins', file));
  if (entries.length === 0) throw new TaskpipeError('USAGE', `--logins ${file} names no host`);
  const made = new Map(
    entries.map(([name, entry]) => {
      const where = `--logins ${file}: ${quoted(name)}`;
      return [nameOf(name, where), loginOf(entry, where, digest)];
    }),
  );
  return {
    of({ origin, host }) {
      return made.get(origin) ?? made.get(host) ?? made.get(hostnameOf(origin));
    },
  };
}

function hostnameOf(origin: string): string {
  return origin.replace(/^https?:\/\//, '').replace(/:\d+$/, '');
}

/** Returns the name of an entry in the form used for look-ups. */
function nameOf(name: string, where: string): string {
  const isOrigin = /^https?:\/\//i.test(name);
  try {
    const url = new URL(isOrigin ? name : `https://${name}`);
    if (
      url.host !== '' &&
      !url.host.includes('*') &&
      url.pathname === '/' &&
      url.search + url.hash + url.username === ''
    )
      return isOrigin
        ? url.origin
        : /:\d+$/.test(name)
          ? `${url.hostname}:${name.split(':').at(-1)}`
          : url.hostname;
  } catch {
    // reported below
  }
  throw new TaskpipeError('USAGE', `${where} must be host, host:port or https://host:port`);
}

const KNOWN: ReadonlySet<string> = new Set(['auth', 'user', 'password', 'token']);

/** Returns the login of an entry. Its messages do not have its values. */
function loginOf(entry: unknown, where: string, digest: AccountLogin): Login {
  const fields = typeof entry === 'object' && entry !== null ? (entry as Record<string, unknown>) : {};
  const strange = Object.keys(fields).find((name) => !KNOWN.has(name));
  if (strange !== undefined)
    throw new TaskpipeError('USAGE', `${where} has ${quoted(strange)}; it may have ${[...KNOWN].join(', ')}`);
  const { auth = fields.token === undefined ? 'basic' : 'bearer', user, password, token } = fields;
  if (token !== undefined && (user !== undefined || password !== undefined))
    throw new TaskpipeError('USAGE', `${where} has both a token and a user; give one of them`);
  if (typeof user === 'string' && user.includes(':'))
    throw new TaskpipeError('USAGE', `${where}: user must not have a colon: it ends there for the server`);
  if (auth === 'bearer' && typeof token === 'string')
    return bearerLogin(tokenOf(token, `${where}: token`), ['-H', '"Authorization: Bearer $TOKEN"']);
  if ((auth === 'basic' || auth === 'digest') && typeof user === 'string' && typeof password === 'string') {
    const words = [...(auth === 'digest' ? ['--digest'] : []), '--user', '"$LOGIN"'];
    return (auth === 'digest' ? digest : basicLogin)({ user, password }, words);
  }
  throw new TaskpipeError(
    'USAGE',
    `${where} must be {"user", "password"}, with "auth": "digest" if need be, or {"token"}`,
  );
}
