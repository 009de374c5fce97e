import { appendFile, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ioError, systemCode } from '../../core/base/errors.ts';
import { logName } from '../../executors/module/logger.ts';

/** Maximum size of a piece of a log in an answer, in bytes. */
const SHOWN = 1024 * 1024;

export interface LogPiece {
  readonly log: string;
  /** Offset of its end in the file, in bytes: the `from` of the next piece. */
  readonly next: number;
}

/** Appends a line to the log of a task, in the format of `task-exec --module`. @throws {TaskpipeError} `IO` */
export async function appendToLog(folder: string, uuid: string, level: string, words: string): Promise<void> {
  const path = join(folder, logName(uuid));
  try {
    await mkdir(folder, { recursive: true });
    await appendFile(path, `${new Date().toISOString()} ${level} ${words}\n`);
  } catch (error) {
    throw ioError('cannot write the log', path, error);
  }
}

/** Deletes the log of a task, if there is one. @throws {TaskpipeError} `IO` */
export async function deleteLog(folder: string, uuid: string): Promise<void> {
  const path = join(folder, logName(uuid));
  await rm(path, { force: true }).catch((error) => {
    throw ioError('cannot delete the log', path, error);
  });
}

/**
 * Reads the log of a task: at most 1 MiB.
 * @param from offset in bytes; undefined: the end of the log
 */
export async function readLog(folder: string, uuid: string, from: number | undefined): Promise<LogPiece> {
  try {
    const file = await open(join(folder, logName(uuid)));
    try {
      const { size } = await file.stat();
      const start = Math.min(from ?? Math.max(0, size - SHOWN), size);
      const buffer = Buffer.alloc(Math.min(size - start, SHOWN));
      const { bytesRead } = await file.read(buffer, 0, buffer.length, start);
      const whole = wholeCharacters(buffer.subarray(0, bytesRead));
      return { log: buffer.toString('utf8', 0, whole), next: start + whole };
    } finally {
      await file.close();
    }
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw ioError('cannot read the log of', uuid, error);
    return { log: '', next: 0 };
  }
}

/** Returns the length of the bytes without an incomplete character at their end. */
function wholeCharacters(bytes: Buffer): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] as number;
    if (byte < 0x80) break;
    if (byte < 0xc0) continue; // a continuation byte
    const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
    return needed > back ? bytes.length - back : bytes.length;
  }
  return bytes.length;
}
