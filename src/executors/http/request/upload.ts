import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { ioError } from '../../../core/base/errors.ts';
import { quoted } from '../../../core/base/terminal-text.ts';
import { encodeUtf8, pathBytes } from '../../../core/text/encoding.ts';
import { FaultError, type HttpFault } from '../transport/http-failure.ts';
import { whenFilesAreFree } from '../transport/local-shortage.ts';
import type { BodyPart } from './request-body.ts';

/** Bytes that are read from a file at once. */
const CHUNK = 131_072;

/** Body whose files are open. */
export interface OpenUpload {
  /** Length of the body, in bytes. */
  readonly length: number;
  /** Bytes of the body. Iterating throws a `FaultError` if a file changes meanwhile. */
  readonly bytes: AsyncIterable<Buffer>;
  close(): Promise<void>;
}

interface OpenFile {
  readonly file: FileHandle;
  readonly path: string;
  readonly size: number;
  readonly changedAt: number;
}

/**
 * Opens the files of a body. They are read while it is sent, so memory does not grow with them.
 * @param onChunk called for each chunk that is sent
 * @returns a fault `BODY_FILE` if a file cannot be read
 */
export async function openUpload(
  parts: readonly BodyPart[],
  onChunk: () => void,
): Promise<OpenUpload | HttpFault> {
  const opened: (Buffer | OpenFile)[] = [];
  const close = async (): Promise<void> => {
    for (const part of opened) if (!Buffer.isBuffer(part)) await part.file.close().catch(() => {});
  };
  try {
    for (const part of parts)
      opened.push(typeof part === 'string' ? encodeUtf8(part) : await openFile(part.path));
  } catch (error) {
    await close();
    if (error instanceof FaultError) return error.fault;
    throw error;
  }
  const length = opened.reduce((all, part) => all + (Buffer.isBuffer(part) ? part.length : part.size), 0);
  return { length, bytes: bytesOf(opened, onChunk), close };
}

async function openFile(path: string): Promise<OpenFile> {
  let file: FileHandle | undefined;
  try {
    // Without O_NONBLOCK, a named pipe would block a thread until it has a writer.
    const flags = constants.O_RDONLY | constants.O_NONBLOCK;
    file = await whenFilesAreFree(() => open(pathBytes(path), flags));
    const stats = await file.stat();
    if (stats.isDirectory()) throw Object.assign(new Error('it is a folder'), { code: 'EISDIR' });
    if (!stats.isFile()) throw new Error('it is not a regular file, so it cannot be sent again');
    return { file, path, size: stats.size, changedAt: stats.mtimeMs };
  } catch (error) {
    await file?.close().catch(() => {});
    throw new FaultError({
      code: 'BODY_FILE',
      message: ioError('cannot read the body from', quoted(path), error).message,
      again: 'never',
    });
  }
}

async function* bytesOf(parts: readonly (Buffer | OpenFile)[], onChunk: () => void): AsyncGenerator<Buffer> {
  for (const part of parts) {
    if (Buffer.isBuffer(part)) {
      yield part;
      onChunk();
      continue;
    }
    for (let at = 0; at < part.size; ) {
      const chunk = await readChunk(part, at);
      at += chunk.length;
      // Checked before the last bytes go out: the server does not act on an incomplete body.
      if (at === part.size) await mustBeUnchanged(part);
      yield chunk;
      onChunk();
    }
  }
}

async function readChunk({ file, path, size }: OpenFile, at: number): Promise<Buffer> {
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK, size - at));
  try {
    const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
    if (bytesRead > 0) return chunk.subarray(0, bytesRead);
  } catch (error) {
    const { message } = ioError('cannot read the body from', quoted(path), error);
    throw new FaultError({ code: 'BODY_FILE', message, again: 'never' });
  }
  throw changed(path);
}

async function mustBeUnchanged({ file, path, size, changedAt }: OpenFile): Promise<void> {
  const stats = await file.stat();
  if (stats.size !== size || stats.mtimeMs !== changedAt) throw changed(path);
}

function changed(path: string): FaultError {
  const message = `the file ${quoted(path)} was changed while it was sent`;
  return new FaultError({ code: 'BODY_FILE', message, again: 'always' });
}
