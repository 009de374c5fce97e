import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { ioError } from '../../core/base/errors.ts';
import type { Notify } from '../../core/record/event.ts';
import { timestamp } from '../../core/record/task.ts';
import { type AppendStream, openAppendStream } from '../../core/storage/append-stream.ts';

/** A file that events are added to, as NDJSON. */
export interface EventsFile {
  readonly notify: Notify;
  /** Resolves when what was told no longer takes memory. To be awaited after each batch. */
  flush(): Promise<void>;
  /** Completes it. @throws {TaskpipeError} `IO` */
  close(): Promise<void>;
}

/** @throws {TaskpipeError} `IO` where it can't be opened */
export async function openEvents(path: string): Promise<EventsFile> {
  // Few runs need it. Required: where packages are links, import() of it comes up empty in Node 22.
  const ndjson = createRequire(import.meta.url)('ndjson') as typeof import('ndjson');
  const lines = ndjson.stringify() as Writable & NodeJS.ReadableStream;
  // A descriptor may be a socket, which has no path to open: Node gives its children sockets.
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
