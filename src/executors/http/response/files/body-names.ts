import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, stat } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { ioError, messageOf, systemCode } from '../../../../core/base/errors.ts';
import type { Failure, Task } from '../../../../core/record/task.ts';
import { attributeText, compileTemplate, type Template } from '../../../../core/record/template.ts';
import { makeFolders } from '../../../../core/storage/make-folders.ts';
import { asPlainName, pathFor } from '../../../../core/storage/path-template.ts';
import { moveFile, moveToFreeName, syncName } from '../../private-files.ts';
import type { WrittenBody } from '../../transport/answer.ts';
import { FileIndex, type OwnedFile } from './file-index.ts';

/** Name of a task's file. */
export interface BodyName {
  /** Beginning of the names of temporary files. */
  readonly temporary: string;
  /** True if it is made of attributes. */
  readonly isOfAttributes: boolean;
  /**
   * Moves a complete body to its name.
   * @param ending extension of its content type, with its dot
   * @returns the path of the file, or the failure of the task
   * @throws {TaskpipeError} `IO`
   */
  place(body: WrittenBody, ending: string): Promise<{ readonly path: string } | Failure>;
  /** Releases the name for other tasks, if no file was written. */
  release(): void;
}

/** Names of the files of a run. */
export interface BodyNames {
  /** Returns the name of a task, or its failure. @throws {TaskpipeError} `IO` */
  claim(task: Task): Promise<BodyName | Failure> | BodyName;
  close(): Promise<void>;
}

/** Name of the ending by content type in a template. */
const ENDING = 'result.type';

/** Returns the name that stands for a task in file names. */
export function keyOfTask(uuid: string): string {
  return createHash('sha256').update(uuid).digest('hex').slice(0, 32);
}

/** Returns names that are a hash of the uuid, in a folder. A task replaces its file. */
export function hashedNames(folder: string): BodyNames {
  return {
    claim({ uuid }) {
      const start = join(folder, keyOfTask(uuid));
      return {
        temporary: start,
        isOfAttributes: false,
        async place(body, ending) {
          const path = start + ending;
          await moveFile(body.path, path).catch((error) => {
            throw ioError('cannot write', path, error);
          });
          return { path };
        },
        release() {},
      };
    },
    close: async () => {},
  };
}

/** System errors that the name of one file causes; others concern all tasks. */
const OF_NAMES: ReadonlySet<string> = new Set([
  ...['ENAMETOOLONG', 'EISDIR', 'ENOTDIR', 'EEXIST', 'ELOOP', 'EINVAL', 'EILSEQ'],
]);

/**
 * Returns names made of attributes. A file is written once: only the task that wrote it replaces it, as long as no
 * one else changed it. The index in the folder has the uuid of that task.
 * @param own folder for the index and for temporary files; it exists
 */
export function attributeNames(typed: string, folder: string, own: string): BodyNames {
  const template = compileTemplate(typed);
  const index = new FileIndex(join(own, 'files.ndjson'));
  const claimed = new Map<string, string>();
  return {
    async claim(task) {
      const name = new AttributeName(template, task, { folder, own, index, claimed });
      const isEarly = !template.names.includes(ENDING);
      const path = name.path('bin');
      const refused = isEarly ? await name.claim('') : typeof path === 'string' ? undefined : path;
      if (refused !== undefined) name.release();
      return refused ?? name;
    },
    close: () => index.close(),
  };
}

interface Names {
  readonly folder: string;
  readonly own: string;
  readonly index: FileIndex;
  /** Tasks under way, by the path that they will write. */
  readonly claimed: Map<string, string>;
}

class AttributeName implements BodyName {
  readonly temporary: string;
  readonly isOfAttributes = true;
  readonly #template: Template;
  readonly #task: Task;
  readonly #names: Names;
  #path: string | undefined;
  /** Index line of the existing file of this task. */
  #own: OwnedFile | undefined;

  constructor(template: Template, task: Task, names: Names) {
    this.#template = template;
    this.#task = task;
    this.#names = names;
    this.temporary = join(names.own, keyOfTask(task.uuid));
  }

  /** Returns the path of the file, or the failure of the task. @param ending without its dot */
  path(ending: string): string | Failure {
    const lookUp = (task: Task, name: string): string | undefined =>
      name === ENDING ? ending : name === 'uuid' ? task.uuid : attributeText(task, name);
    const rules = { option: '--body-dir', code: 'FILE_NAME', encode: asPlainName, lookUp };
    return pathFor(this.#template, this.#task, rules);
  }

  /** Takes the path. @param ending without its dot @returns the failure of the task if it may not use the path */
  async claim(ending: string): Promise<Failure | undefined> {
    if (this.#path !== undefined) return undefined;
    const path = this.path(ending);
    if (typeof path !== 'string') return path;
    const { claimed } = this.#names;
    const { uuid } = this.#task;
    const other = claimed.get(path) ?? uuid;
    if (other !== uuid) return taken(path, `is the file of the task ${other}, which runs`);
    claimed.set(path, uuid);
    this.#path = path;
    return this.#check(path);
  }

  /** Returns the failure of the task if a file is in its way. */
  async #check(path: string): Promise<Failure | undefined> {
    try {
      const there = await lstat(path);
      const line = await this.#names.index.lineOf(relative(this.#names.folder, path));
      if (line === undefined || !there.isFile()) return taken(path, 'exists, and no task wrote it');
      if (line.uuid !== this.#task.uuid) return taken(path, `is the file of the task ${line.uuid}`);
      this.#own = line;
      return undefined;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      return this.#unusable(path, error);
    }
  }

  async place(body: WrittenBody, ending: string): Promise<{ readonly path: string } | Failure> {
    const refused = await this.claim(ending.slice(1));
    if (refused !== undefined) return refused;
    const path = this.#path as string;
    const { folder, index } = this.#names;
    const own = this.#own;
    try {
      const replaces = own === undefined ? undefined : await hashOf(path);
      if (replaces !== undefined && replaces !== own?.sha256 && replaces !== own?.replaces)
        return taken(path, 'was changed by someone else since this task wrote it');
      await makeDurableFolders(dirname(path));
      const { uuid } = this.#task;
      await index.add({ file: relative(folder, path), uuid, sha256: body.sha256, replaces });
      await (own === undefined ? moveToFreeName : moveFile)(body.path, path);
      return { path };
    } catch (error) {
      if (systemCode(error) === 'EEXIST') return taken(path, 'was written meanwhile');
      return this.#unusable(path, error);
    }
  }

  #unusable(path: string, error: unknown): Failure {
    if (!OF_NAMES.has(systemCode(error) ?? '')) throw ioError('cannot write', path, error);
    return { code: 'FILE_NAME', message: `cannot write ${JSON.stringify(path)}: ${messageOf(error)}` };
  }

  release(): void {
    if (this.#path !== undefined) this.#names.claimed.delete(this.#path);
  }
}

function taken(path: string, words: string): Failure {
  const advice = 'name files by {uuid} too, or move that one away';
  return { code: 'FILE_TAKEN', message: `${JSON.stringify(path)} ${words}; ${advice} (--body-dir)` };
}

/** Returns the SHA-256 of a file; undefined if it does not exist. */
async function hashOf(path: string): Promise<string | undefined> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(path), hash);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  return hash.digest('hex');
}

/** Makes folders as durable as the files that will be in them. */
async function makeDurableFolders(folder: string): Promise<void> {
  const parent = dirname(folder);
  if (parent === folder || (await stat(folder).catch(() => undefined))?.isDirectory()) return;
  await makeDurableFolders(parent);
  await makeFolders(folder);
  await syncName(folder);
}
