import { lstat, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ioError, messageOf, systemCode } from '../../core/base/errors.ts';
import type { Failure, Task } from '../../core/record/task.ts';
import { compileTemplate, type Template } from '../../core/record/template.ts';
import { makeFolders } from '../../core/storage/make-folders.ts';
import { pathFor } from '../../core/storage/path-template.ts';
import { pathBytes } from '../../core/text/encoding.ts';
import { placeholderText, type Turn } from '../program/placeholders.ts';
import type { OutputFiles } from './shell-pool/job.ts';

/** System errors that the name of one file causes; others concern all tasks. */
const OF_NAMES: ReadonlySet<string> = new Set(['ENAMETOOLONG', 'EISDIR', 'ENOTDIR', 'EEXIST', 'ELOOP']);

/** Files for the outputs of commands, named after their tasks. */
export interface ResultFiles {
  /** Returns the files for a task, in a folder that exists. @throws {TaskpipeError} `IO` */
  filesFor(task: Task, turn: Turn): Promise<OutputFiles | Failure>;
  /** Makes them as durable as the row that names them. @throws {TaskpipeError} `IO` */
  keep(files: OutputFiles): Promise<void>;
}

/** @param typed path with attributes in braces, such as `out/{uuid}` */
export function resultFiles(typed: string): ResultFiles {
  const template = compileTemplate(typed);
  const owners = new FileOwners(template);
  let made: string | undefined;
  return {
    async filesFor(task, turn) {
      const lookUp = (of: Task, name: string): string | undefined => placeholderText(of, name, turn);
      const path = pathFor(template, task, { option: '--results', code: 'RESULTS', lookUp });
      if (typeof path !== 'string') return path;
      const stdout = resolve(path);
      const files = { path, stdout, stderr: `${stdout}.err` };
      const folder = dirname(stdout);
      const owner = owners.claim([stdout, files.stderr], task.uuid);
      if (owner !== undefined) return failure(`--results ${JSON.stringify(path)} is also that of ${owner}`);
      try {
        if (folder !== made) await makeFolders(folder);
        for (const file of [files.stdout, files.stderr]) await empty(file);
      } catch (error) {
        if (!OF_NAMES.has(systemCode(error) ?? '') && !(await isLink(files)))
          throw ioError('cannot write --results', stdout, error);
        return failure(`cannot write --results ${JSON.stringify(path)}: ${messageOf(error)}`);
      }
      made = folder;
      return files;
    },
    async keep({ stdout, stderr }) {
      for (const path of [stdout, stderr, dirname(stdout)]) await sync(path);
    },
  };
}

function failure(message: string): Failure {
  return { code: 'RESULTS', message };
}

async function empty(file: string): Promise<void> {
  await (await open(pathBytes(file), 'w')).close();
}

/** Returns whether one of the files is a link, which may be broken. */
async function isLink({ stdout, stderr }: Pick<OutputFiles, 'stdout' | 'stderr'>): Promise<boolean> {
  const stats = [stdout, stderr].map((path) => lstat(pathBytes(path)).catch(() => undefined));
  return (await Promise.all(stats)).some((stat) => stat?.isSymbolicLink());
}

/** Tasks that the files of a run belong to. */
class FileOwners {
  readonly #isNeeded: boolean;
  readonly #owners = new Map<string, string>();

  /** @param template names differ anyway if they have the uuid or the number of the task */
  constructor(template: Template) {
    this.#isNeeded = !template.names.some((name) => name === 'uuid' || name === '#');
  }

  /**
   * Claims files for a task; another attempt at the task may claim them again. @returns the task that has one of them
   */
  claim(paths: readonly string[], uuid: string): string | undefined {
    if (!this.#isNeeded) return undefined;
    const owner = paths.map((path) => this.#owners.get(path)).find((one) => (one ?? uuid) !== uuid);
    if (owner === undefined) for (const path of paths) this.#owners.set(path, uuid);
    return owner;
  }
}

async function sync(path: string): Promise<void> {
  try {
    const file = await open(pathBytes(path), 'r');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  } catch (error) {
    throw ioError('cannot keep the output of a command in', path, error);
  }
}
