import { mkdir, open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { ioError, messageOf, systemCode } from '../../core/base/errors.ts';
import type { Failure, Task } from '../../core/record/task.ts';
import { compileTemplate } from '../../core/record/template.ts';
import { pathBytes } from '../../core/text/encoding.ts';
import { placeholderText, type Turn } from '../program/placeholders.ts';
import type { OutputFiles } from './shell-pool/job.ts';

/** System errors that the name of one file causes; others concern all tasks. */
const OF_NAMES: ReadonlySet<string> = new Set(['ENAMETOOLONG', 'EISDIR', 'ENOTDIR', 'EEXIST']);

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
  let made: string | undefined;
  return {
    async filesFor(task, turn) {
      const path = template.expand(task, asName, (of, name) => placeholderText(of, name, turn));
      if (typeof path !== 'string') return path;
      if (/(^|\/)(\.{0,2})$/.test(path) || path.includes('\0'))
        return { code: 'RESULTS', message: `--results gives no file name: ${JSON.stringify(path)}` };
      const stdout = resolve(path);
      const folder = dirname(stdout);
      const files = { path, stdout, stderr: `${stdout}.err` };
      try {
        if (folder !== made) await mkdir(pathBytes(folder), { recursive: true });
        for (const file of [files.stdout, files.stderr]) await (await open(pathBytes(file), 'w')).close();
      } catch (error) {
        if (!OF_NAMES.has(systemCode(error) ?? '')) throw ioError('cannot write --results', stdout, error);
        return {
          code: 'RESULTS',
          message: `cannot write --results ${JSON.stringify(path)}: ${messageOf(error)}`,
        };
      }
      made = folder;
      return files;
    },
    async keep({ stdout, stderr }) {
      for (const path of [stdout, stderr, dirname(stdout)]) await sync(path);
    },
  };
}

/** Returns a value as part of a file name: it cannot lead to another folder. */
function asName(value: string): string {
  return value.replace(/[%/]/g, encodeURIComponent);
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
