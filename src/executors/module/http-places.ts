import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { TaskpipeError } from '../../core/base/errors.ts';
import { optionName } from '../../core/options/option.ts';
import type { HttpOptions } from '../http/options.ts';

/** Options of `ctx.fetch` whose files are read at the first fetch, by each thread. */
const FILES = ['cookies', 'authFile', 'netrc', 'logins', 'oauth2', 'cert', 'key', 'cacert'] as const;

/**
 * Returns the options of `ctx.fetch` with absolute paths: they are used at the first fetch, and the module may change the working
 * folder.
 * @param threads number of threads. Default: none
 * @throws {TaskpipeError} `USAGE` if threads would share a pipe, which only the first could read
 */
export function httpPlaces(http: HttpOptions, threads: number | undefined): HttpOptions {
  const { cache, proxy } = http;
  const paths = FILES.flatMap((name) => {
    const path = http[name];
    if (path === undefined) return [];
    if (threads !== undefined && isPipe(path))
      throw new TaskpipeError(
        'USAGE',
        `${optionName(name)} ${path} is a pipe, which only one of the threads of --threads could read; give a file`,
      );
    return [[name, resolve(path)] as const];
  });
  return {
    ...http,
    ...Object.fromEntries(paths),
    ...(proxy?.startsWith('@') && { proxy: `@${resolve(proxy.slice(1))}` }),
    ...(cache !== undefined && { cache: resolve(cache) }),
  };
}

function isPipe(path: string): boolean {
  try {
    return statSync(path).isFIFO();
  } catch {
    return false; // the first fetch reports why it cannot be read
  }
}
