import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ioError, messageOf, systemCode, TaskpipeError } from '../core/base/errors.ts';

/** Exports of a module, by name. */
export type Exports = Readonly<Record<string, unknown>>;

/**
 * Loads a user module: JavaScript with Node, TypeScript by removing its types. It may import `taskpipe` and
 * `taskpipe/flow` even if the package is not installed in its folders.
 * @param file relative to the working directory
 * @param option that names the module, such as `--flow`, for messages
 * @throws {TaskpipeError} `IO` if there is no such file, `USAGE` if it cannot be loaded
 */
export async function loadModule(file: string, option: string): Promise<Exports> {
  const path = resolve(file);
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw Object.assign(new Error('a folder'), { code: 'EISDIR' });
    if (!stat.isFile()) throw new TaskpipeError('IO', `cannot read ${option} ${file}: not a file`);
  } catch (error) {
    throw ioError(`cannot read ${option}`, file, error);
  }
  try {
    if (/\.[cm]?tsx?$/.test(path)) return exportsOf(await importWithJiti(path));
    return exportsOf(await import(pathToFileURL(path).href));
  } catch (error) {
    if (isOurOwnMissing(error))
      return importWithJiti(path).then(exportsOf, (again) => fail(file, option, again, path));
    return fail(file, option, error, path);
  }
}

/**
 * Loads the default export of a module.
 * @param what expected value, for messages
 * @throws {TaskpipeError} as `loadModule` does, and `USAGE` if there is no default export
 */
export async function loadDefault(file: string, option: string, what: string): Promise<unknown> {
  const { default: found } = await loadModule(file, option);
  if (found !== undefined) return found;
  throw new TaskpipeError('USAGE', `${option} ${file} has no default export; it must be ${what}`);
}

/**
 * Returns the exports of a loaded module. A CommonJS module may be a function itself (`module.exports = f`, in jiti), or
 * the output of a compiler, whose exports Node presents as the default export.
 */
function exportsOf(loaded: unknown): Exports {
  if (typeof loaded === 'function') return { ...loaded, default: loaded };
  const exports = loaded as Exports;
  const { default: value } = exports;
  const isCompiled = typeof value === 'object' && value !== null && '__esModule' in value;
  return isCompiled ? (value as Exports) : exports;
}

/** Returns whether the module that was not found is this package. */
function isOurOwnMissing(error: unknown): boolean {
  return systemCode(error) === 'ERR_MODULE_NOT_FOUND' && /package 'taskpipe'/.test(messageOf(error));
}

async function importWithJiti(path: string): Promise<unknown> {
  const { createJiti } = await import('jiti'); // slow to load, and few runs need it
  const own = (name: string): string => new URL(import.meta.resolve(name)).pathname;
  const alias = { 'taskpipe/flow': own('taskpipe/flow'), taskpipe: own('taskpipe') };
  return createJiti(path, { alias, fsCache: false, interopDefault: false }).import(path);
}

async function fail(file: string, option: string, error: unknown, path: string): Promise<never> {
  const place = placeIn(error) ?? (error instanceof SyntaxError ? await findPlace(path) : undefined);
  const why = place ?? `${firstLine(messageOf(error))}${frameIn(error, path)}`;
  throw new TaskpipeError('USAGE', `${option} ${file} cannot be loaded: ${why}`, { cause: error });
}

/**
 * Finds the place of a syntax error: Node reports only the reason, jiti also the place. No code has run, because the
 * module was not even linked.
 */
async function findPlace(path: string): Promise<string | undefined> {
  try {
    await importWithJiti(path);
    return undefined;
  } catch (error) {
    return placeIn(error);
  }
}

/** Returns place and reason from an error of jiti's parser. */
function placeIn(error: unknown): string | undefined {
  const [, why, place, column] = /ParseError: (.*?)\s*\n\s*(\S.*:\d+):(\d+)/.exec(messageOf(error)) ?? [];
  return why === undefined ? undefined : `${place}:${Number(column) + 1}: ${why}`; // jiti counts columns from 0
}

/** Our own folder: its places in a stack do not help users. */
const OWN = new URL('.', import.meta.url).pathname;

/** Returns the place where a module threw while it was loaded: the first entry of its stack in a user file. */
function frameIn(error: unknown, path: string): string {
  if (!(error instanceof Error) || firstLine(error.message).includes(path)) return '';
  for (const [, place = ''] of (error.stack ?? '').matchAll(
    /(?:file:\/\/|[\s(])(\/[^\s()]+?:\d+)(?::\d+)?\)?$/gm,
  ))
    if (!place.startsWith(OWN) && !place.includes('/node_modules/')) return ` (${place})`;
  return '';
}

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}
