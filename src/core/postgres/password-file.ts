import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process';
import type { PostgresAddress } from './postgres-address.ts';

/**
 * Returns the password for a database from the file of `PGPASSFILE`, else from `~/.pgpass`: the last part of the
 * first line `host:port:database:user:password` that matches, where `*` matches anything. As libpq, it ignores a file
 * that others may read.
 * @param warn called with the reason a file is ignored
 */
export function passwordInFile(
  { host, port, database, user }: PostgresAddress,
  warn: (message: string) => void,
): string | undefined {
  const path = env.PGPASSFILE || join(homedir(), '.pgpass');
  const text = textOf(path, warn);
  const wanted = [host.startsWith('/') ? 'localhost' : host, String(port), database, user];
  for (const line of text.split(/\r?\n/)) {
    if (line === '' || line.startsWith('#')) continue;
    const parts = partsOf(line);
    if (wanted.every((part, i) => parts[i] === '*' || parts[i] === part || (i === 0 && parts[i] === host)))
      return parts.slice(wanted.length).join(':');
  }
  return undefined;
}

function textOf(path: string, warn: (message: string) => void): string {
  try {
    if ((statSync(path).mode & 0o077) !== 0) {
      warn(`the password file ${path} is ignored, because others may read it; type: chmod 600 ${path}`);
      return '';
    }
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // a server that needs a password reports that
  }
}

/** Splits a line at its colons. A backslash escapes the next character. */
function partsOf(line: string): readonly string[] {
  const parts = [''];
  for (let i = 0; i < line.length; i++) {
    const character = line[i] as string;
    if (character === ':') parts.push('');
    else parts[parts.length - 1] += character === '\\' ? (line[++i] ?? '') : character;
  }
  return parts;
}
