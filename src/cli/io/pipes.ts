import { once } from 'node:events';
import { closeSync, createReadStream, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { isatty, ReadStream, WriteStream } from 'node:tty';
import { closed, descriptors } from '../../core/base/descriptors.ts';
import { ioError, systemCode, TaskpipeError } from '../../core/base/errors.ts';
import { watchReader } from './reader-watch.ts';

/*
 * Pipe mechanics for all commands. Node has four traps here. Touching `process.stdout` of a pipe makes its
 * descriptor non-blocking, so everything must go through its stream. A file must not go through that stream,
 * which ignores short writes. SIGPIPE is ignored, so a closed pipe shows as EPIPE at the next write.
 * `process.exit()` drops unwritten output, so only `left-open.ts` calls it, after the end of the output; user code that
 * calls it goes through `early-exit.ts`.
 */

const FILE_CHUNK = 64 * 1024;

/**
 * Reads standard input in chunks. `signal` ends it early, after the data that was already read from the pipe,
 * because no other process can read that data any more.
 * @param opened called with the stream
 */
export async function* stdin(
  signal: AbortSignal,
  opened?: (stream: Readable) => void,
): AsyncGenerator<Buffer> {
  if (signal.aborted) return;
  const stream = openInput(descriptors.input);
  opened?.(stream);
  let taken: Buffer | null = null;
  const stop = (): void => {
    taken = stream.read() as Buffer | null;
    stream.destroy();
  };
  signal.addEventListener('abort', stop);
  try {
    yield* stream as AsyncIterable<Buffer>;
  } catch (error) {
    if (!signal.aborted && systemCode(error) !== 'ERR_STREAM_PREMATURE_CLOSE')
      throw ioError('cannot read', 'the standard input', error);
  } finally {
    signal.removeEventListener('abort', stop);
    stream.destroy();
  }
  if (taken !== null) yield taken;
}

/** Opens the standard input. It is not `process.stdin`, which belongs to user code. */
function openInput(fd: number): Readable {
  const stat = fstatSync(fd);
  if (stat.isDirectory()) throw new TaskpipeError('IO', 'cannot read the standard input: it is a folder');
  if (isatty(fd)) return new ReadStream(fd);
  if (stat.isFIFO() || stat.isSocket()) return new Socket({ fd, readable: true, writable: false });
  return createReadStream('', { fd, autoClose: false, highWaterMark: FILE_CHUNK });
}

/** Returns whether the standard input is a terminal. */
export function isTyped(): boolean {
  return isatty(descriptors.input);
}

/** Returns whether the standard input is a file. */
export function isFromFile(): boolean {
  return fstatSync(descriptors.input).isFile();
}

/** Returns the width of the terminal that the standard output is; undefined if it is not one. */
export function outputColumns(): number | undefined {
  return isatty(descriptors.output) ? new WriteStream(descriptors.output).columns : undefined;
}

/** Returns whether standard output is a pipe to another program. */
export function isPiped(): boolean {
  const stat = fstatSync(descriptors.output);
  return stat.isFIFO() || stat.isSocket();
}

/** Standard output. */
export interface Output {
  /** Resolves when more may be written. Rejects with `PIPE` once the reader is gone. */
  write(data: string | Buffer): Promise<void>;
  /** Resolves when everything is handed to the kernel. */
  finish(): Promise<void>;
  /** Finishes, and closes the pipe, so that its reader sees the end; nothing can be written after that. */
  end(): Promise<void>;
  /** Writes the remaining output and this text at once: for a process with a blocked event loop. */
  writeLast(data: string): void;
  /** Releases timers and child processes. */
  close(): void;
}

/** Rejects a closed standard output, where all records would be lost. @throws {TaskpipeError} `IO` */
export function assertOutputIsOpen(): void {
  if (closed.output)
    throw new TaskpipeError(
      'IO',
      'cannot write the standard output: it is closed (>/dev/null drops the output)',
    );
}

/** Longest time for the last writes once the stage leaves, in milliseconds. */
const LAST_WORDS = 500;

export interface OutputOptions {
  /**
   * Called once when the reader of the pipe has left. On Linux this is noticed within seconds even while
   * nothing is written. Without this callback, only a write notices it.
   */
  readonly onGone?: (() => void) | undefined;
  /** Aborted when the stage leaves: then the stage no longer waits for a reader that does not read. */
  readonly aborting: AbortSignal;
}

export function openOutput(options: OutputOptions): Output {
  const { output } = descriptors;
  const stat = fstatSync(output);
  if (stat.isFIFO() || stat.isSocket()) {
    // Like process.stdout. But process.stdout ignores destroy(), so unwritten output would keep the process alive.
    return streamOutput(new Socket({ fd: output, readable: false, writable: true }), options, stat.isFIFO());
  }
  return isatty(output)
    ? streamOutput(new WriteStream(output), options, false)
    : {
        write: async (data) => writeWhole(data),
        finish: async () => {},
        end: async () => {},
        writeLast: writeWhole,
        close() {},
      };
}

/** Writes all bytes to a file or device. One call may write only a part of them. */
function writeWhole(data: string | Buffer): void {
  assertOutputIsOpen();
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(descriptors.output, bytes, at);
  } catch (error) {
    throw ioError('cannot write', 'the standard output', error);
  }
}

/** Descriptor of libuv below a stream. */
interface Handle {
  readonly bytesWritten: number;
  readonly writeQueueSize: number;
}

/** Writes to a descriptor that may not block, and waits while it is full, for at most `LAST_WORDS`. */
function writePatiently(bytes: Buffer): void {
  const until = performance.now() + LAST_WORDS;
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(descriptors.output, bytes, at);
    } catch (error) {
      if (systemCode(error) !== 'EAGAIN' || performance.now() > until) throw error;
      Atomics.wait(clock, 0, 0, 10);
    }
  }
}

function streamOutput(stream: Socket, { onGone, aborting }: OutputOptions, isPipe: boolean): Output {
  let failure: TaskpipeError | undefined;
  let wake: (() => void) | undefined;
  let isEnded = false;
  const fail = (error: TaskpipeError): void => {
    if (failure !== undefined) return;
    failure = error;
    watch?.end();
    stream.destroy(); // unwritten output would keep the process alive
    if (error.code === 'PIPE') onGone?.();
    wake?.();
  };
  const gone = (cause?: unknown): void =>
    fail(new TaskpipeError('PIPE', 'the reader of the output went away', { cause }));
  stream.on('error', (error) => {
    if (systemCode(error) === 'EPIPE' || systemCode(error) === 'ECONNRESET') gone(error);
    else fail(ioError('cannot write', 'the standard output', error));
  });
  stream.on('drain', () => wake?.());
  aborting.addEventListener('abort', () =>
    setTimeout(() => stream.writableLength > 0 && gone(), LAST_WORDS).unref(),
  );
  /** Data whose write has not been confirmed. */
  const pending: (string | Buffer)[] = [];
  const written = (): void => void pending.shift();
  const watch = isPipe && onGone !== undefined ? watchReader(gone) : undefined;

  const settle = async (done: () => boolean): Promise<void> => {
    while (failure === undefined && !done()) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    if (failure !== undefined) throw failure;
  };
  const finish = async (): Promise<void> => {
    if (failure !== undefined) throw failure;
    if (isEnded || stream.writableLength === 0) return;
    stream.write('', () => wake?.());
    await settle(() => stream.writableLength === 0);
  };
  return {
    async write(data) {
      if (failure !== undefined) throw failure;
      watch?.wrote();
      pending.push(data);
      if (stream.write(data, written)) return;
      await settle(() => !stream.writableNeedDrain);
    },
    finish,
    async end() {
      await finish();
      isEnded = true;
      watch?.end();
      if (stream.destroyed || stream instanceof WriteStream) return; // a terminal cannot be closed
      const closed = once(stream, 'close');
      stream.destroy();
      await closed;
      if (descriptors.output !== 1) return;
      closeSync(1); // libuv does not close descriptors 0 to 2
      openSync('/dev/null', 'w'); // otherwise the next file or socket would become standard output
    },
    writeLast(data) {
      const { _handle: handle } = stream as unknown as { readonly _handle: Handle | null };
      const bytes = Buffer.concat([...pending, data].map((one) => Buffer.from(one as string)));
      const unsent = stream.bytesWritten - (handle?.bytesWritten ?? 0) + (handle?.writeQueueSize ?? 0);
      writePatiently(bytes.subarray(bytes.length - Buffer.byteLength(data) - unsent));
    },
    close: () => watch?.end(),
  };
}
