import { createWriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { ioError } from '../../core/base/errors.ts';
import type { Notify } from '../../core/record/event.ts';
import { timestamp } from '../../core/record/task.ts';
import { type AppendStream, openAppendStream } from '../../core/storage/append-stream.ts';

/** File that events are appended to, as NDJSON. */
export interface EventsFile {
  readonly notify: Notify;
  /** Returns a promise to wait for before more work makes events; undefined if there is room for them. */
  room(): Promise<void> | undefined;
  /** Checks that the path still names the file. To be awaited after each batch. @throws {TaskpipeError} `IO` */
  check(): Promise<void>;
  /** Completes the file. @throws {TaskpipeError} `IO` */
  close(): Promise<void>;
}

/** Size of the pieces that are written, in characters: a write for each event would cost more than most tasks. */
const PIECE = 64 * 1024;

/** Size of the waiting text from which work pauses, in characters. */
const FULL = 1024 * 1024;

/** Opens the file of `--events`. @throws {TaskpipeError} `IO` if it cannot be opened */
export async function openEvents(path: string): Promise<EventsFile> {
  // Loaded on demand, because few runs need it. By require: in Node 22, import() of a linked package returns an empty
  // module.
  const ndjson = createRequire(import.meta.url)('ndjson') as typeof import('ndjson');
  const encoder = ndjson.stringify() as Writable & NodeJS.ReadableStream;
  // The descriptor may be a socket, which cannot be opened by path: Node uses sockets for the descriptors of its
  // children.
  const [, descriptor] = /^\/dev\/fd\/(\d+)$/.exec(path) ?? [];
  const target =
    descriptor === undefined
      ? await openAppendStream('--events', path)
      : openDescriptor(path, Number(descriptor));
  let text = '';
  let soon: NodeJS.Immediate | undefined;
  // Read immediately: in the encoder, each event waits as an object, which is many times as large as its text.
  const encode = (): void => {
    for (let line = encoder.read(); line !== null; line = encoder.read()) text += line;
  };
  const write = (): void => {
    clearImmediate(soon);
    soon = undefined;
    if (text !== '') target.lines.write(text);
    text = '';
  };
  return {
    notify(event) {
      encoder.write({ at: timestamp(Date.now()), ...event });
      encode();
      if (text.length >= PIECE) write();
      else soon ??= setImmediate(write);
    },
    room() {
      if (target.lines.writableLength < FULL) return undefined;
      const drained = new Promise<void>((resolve) => target.lines.once('drain', () => resolve()));
      return Promise.race([drained, target.ended]);
    },
    check: () => target.check(),
    async close() {
      encoder.end();
      encode();
      write();
      target.lines.end();
      await target.ended;
    },
  };
}

function openDescriptor(path: string, fd: number): AppendStream {
  const lines = createWriteStream(path, { fd });
  const ended = finished(lines).catch((error) => {
    throw ioError('cannot write --events', path, error);
  });
  ended.catch(() => {}); // thrown where it is awaited
  return { lines, ended, check: async () => {} };
}
