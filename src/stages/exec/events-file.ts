import { once } from 'node:events';
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
  /** Waits while too many events are buffered. Await it after each batch. @throws {TaskpipeError} `IO` */
  flush(): Promise<void>;
  /** Completes the file. @throws {TaskpipeError} `IO` */
  close(): Promise<void>;
}

/** Opens the file of `--events`. @throws {TaskpipeError} `IO` if it cannot be opened */
export async function openEvents(path: string): Promise<EventsFile> {
  // Loaded on demand, because few runs need it. By require: in Node 22, import() of a linked package comes up
  // empty.
  const ndjson = createRequire(import.meta.url)('ndjson') as typeof import('ndjson');
  const lines = ndjson.stringify() as Writable & NodeJS.ReadableStream;
  // The descriptor may be a socket, which cannot be opened by path: Node gives its children sockets.
  const [, descriptor] = /^\/dev\/fd\/(\d+)$/.exec(path) ?? [];
  const target =
    descriptor === undefined
      ? await openAppendStream('--events', path)
      : openDescriptor(path, Number(descriptor));
  lines.pipe(target.lines);
  return {
    notify: (event) => void lines.write({ at: timestamp(Date.now()), ...event }),
    async flush() {
      if (lines.writableNeedDrain) await Promise.race([once(lines, 'drain'), target.ended]);
      await target.check();
    },
    async close() {
      lines.end();
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
