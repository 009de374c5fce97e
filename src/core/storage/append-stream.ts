import { once } from 'node:events';
import { closeSync, createWriteStream, type WriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { ioError } from '../base/errors.ts';
import { GrowingFile } from './named-file.ts';

/** A file that a stream appends to, without syncs: several processes may append to one. */
export interface AppendStream {
  readonly lines: WriteStream;
  /**
   * Promise that resolves when the stream has ended and all of it is in the file.
   * @throws {TaskpipeError} `IO`
   */
  readonly ended: Promise<void>;
  /** Checks, at most once a second, that the path still names the file. @throws {TaskpipeError} `IO` */
  check(): Promise<void>;
}

/** Interval of the checks, in milliseconds. */
const INTERVAL = 1000;

/**
 * Opens a file to append to, and creates it if it does not exist.
 * @param option option that names the file, for messages
 * @throws {TaskpipeError} `IO`
 */
export async function openAppendStream(option: string, path: string): Promise<AppendStream> {
  const fail = (error: unknown): never => {
    throw ioError(`cannot write ${option}`, path, error);
  };
  // The descriptor stays open after the last write: the check at the end needs it.
  const lines = createWriteStream(path, { flags: 'a', autoClose: false });
  const [fd] = (await once(lines, 'open').catch(fail)) as [number];
  const file = new GrowingFile(path, fd);
  const checkNow = (): Promise<void> => {
    file.wrote(lines.bytesWritten);
    return file.check().catch(fail);
  };
  let next = 0;
  const ended = finished(lines)
    .catch(fail)
    .then(checkNow)
    .finally(() => closeSync(fd));
  ended.catch(() => {}); // thrown where it is awaited
  return {
    lines,
    ended,
    async check() {
      const now = performance.now();
      if (now < next) return;
      next = now + INTERVAL;
      await checkNow();
    },
  };
}
