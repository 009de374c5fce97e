import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { TaskpipeError } from '../base/errors.ts';

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * Returns the settings of a service, from the file that `PGSERVICEFILE` names, else from `~/.pg_service.conf`, else
 * from `pg_service.conf` in the folder `PGSYSCONFDIR`.
 * @throws {TaskpipeError} `USAGE` if no file has the service
 */
export function serviceSettings(name: string, env: Variables): ReadonlyMap<string, string> {
  const places = [
    env.PGSERVICEFILE ?? join(homedir(), '.pg_service.conf'),
    join(env.PGSYSCONFDIR ?? '/etc/postgresql-common', 'pg_service.conf'),
  ];
  for (const place of places) {
    const settings = settingsIn(textOf(place), name);
    if (settings !== undefined) return settings;
  }
  throw new TaskpipeError(
    'USAGE',
    `the service ${JSON.stringify(name)} (PGSERVICE) is not in ${places.join(' or ')}; add a section [${name}]`,
  );
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return ''; // the next file may have it
  }
}

/** Returns the lines `name=value` of a section; undefined if there is no such section. */
function settingsIn(text: string, name: string): Map<string, string> | undefined {
  let found: Map<string, string> | undefined;
  let isInside = false;
  for (const line of text.split(/\r?\n/).map((one) => one.trim())) {
    if (line.startsWith('[')) {
      isInside = line === `[${name}]`;
      if (isInside) found ??= new Map();
      continue;
    }
    const at = line.indexOf('=');
    if (isInside && at > 0 && !line.startsWith('#'))
      found?.set(line.slice(0, at).trim(), line.slice(at + 1).trim());
  }
  return found;
}
