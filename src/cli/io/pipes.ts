import { once } from 'node:events';
import { closeSync, createReadStream, fstatSync, openSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { ioError, systemCode, TaskpipeError } from '../../core/base/errors.ts';
import { watchReader } from './reader-watch.ts';

/*
 * Pipe mechanics for all commands. Node has four traps here. Touching `process.stdout` of a pipe makes its
 * descriptor non-blocking, so everything must go through its stream. A file must not go through that stream,
 * which ignores short writes. SIGPIPE is ignored, so a closed pipe shows as EPIPE at the next write.
 * `process.exit()` drops unwritten output, so nothing calls it.
 */

const FILE_CHUNK = 64 * 1024;

/**
 * Reads standard input in chunks. `signal` ends it early, after what was already taken from the pipe: no other
 * process can read that any more.
 */
export async function* stdin(signal: AbortSignal): AsyncGenerator<Buffer> {
  if (signal.aborted) return;
  const stat = fstatSync(0);
  if (stat.isDirectory()) throw new TaskpipeError('IO', 'cannot read the standard input: it is a folder');
  const stream = stat.isFile()
    ? createReadStream('', { fd: 0, autoClose: false, highWaterMark: FILE_CHUNK })
    : process.stdin;
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

/** Returns whether a descriptor is a file. */
export function isFile(fd: number): boolean {
  return fstatSync(fd).isFile();
}

/** Returns whether standard output is a pipe to another program. */
export function isPiped(): boolean {
  const stat = fstatSync(1);
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
  /** Releases timers and child processes. */
  close(): void;
}

/** Longest time for the last writes once the stage leaves, in milliseconds. */
const LAST_WORDS = 1000;

export interface OutputOptions {
  /**
   * Called once when the reader of the pipe has left. On Linux that is noticed within seconds even while
   * nothing is written; without this callback only a write notices it.
   */
  readonly onGone?: (() => void) | undefined;
  /** Aborted when the stage leaves: a reader that does not read is then no longer waited for. */
  readonly aborting: AbortSignal;
}

export function openOutput(options: OutputOptions): Output {
  const stat = fstatSync(1);
  if (stat.isFIFO() || stat.isSocket()) {
    // Like process.stdout, but that ignores destroy(), and unwritten output would keep the process alive.
    return streamOutput(new Socket({ fd: 1, readable: false, writable: true }), options, stat.isFIFO());
  }
  return process.stdout.isTTY
    ? streamOutput(process.stdout, options, false)
    : { write: async (data) => writeWhole(data), finish: async () => {}, end: async () => {}, close() {} };
}

/** Writes all bytes to a file or device. One call may write only a part of them. */
function writeWhole(data: string | Buffer): void {
  const bytes = typeof data === 'string' ? Buffer.from(data) : data;
  try {
    for (let at = 0; at < bytes.length; ) at += writeSync(1, bytes, at);
  } catch (error) {
    throw ioError('cannot write', 'the standard output', error);
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
      if (stream.write(data)) return;
      await settle(() => !stream.writableNeedDrain);
    },
    finish,
    async end() {
      await finish();
      isEnded = true;
      watch?.end();
      if (stream.destroyed || stream === process.stdout) return; // a terminal cannot be closed
      const closed = once(stream, 'close');
      stream.destroy();
      await closed;
      closeSync(1); // libuv does not close descriptors 0 to 2
      openSync('/dev/null', 'w'); // otherwise the next file or socket would become standard output
    },
    close: () => watch?.end(),
  };
}
