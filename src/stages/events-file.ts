import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { createRequire } from 'node:module';
import type { Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { ioError } from '../core/errors.ts';
import type { Notify } from '../core/event.ts';
import { timestamp } from '../core/task.ts';

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
  // As a descriptor, it may be a socket too, which has no path to open: what Node gives its children is one.
  const [, descriptor] = /^\/dev\/fd\/(\d+)$/.exec(path) ?? [];
  const to = descriptor === undefined ? { flags: 'a' } : { fd: Number(descriptor) };
  const target = lines.pipe(createWriteStream(path, to));
  const failed = (error: unknown): never => {
    throw ioError('cannot write --events', path, error);
  };
  if (descriptor === undefined) await once(target, 'open').catch(failed);
  const ended = finished(target).catch(failed);
  ended.catch(() => {}); // is thrown by close()
  return {
    notify: (event) => void lines.write({ at: timestamp(Date.now()), ...event }),
    async flush() {
      if (lines.writableNeedDrain) await Promise.race([once(lines, 'drain'), ended]);
    },
    async close() {
      lines.end();
      await ended;
    },
  };
}
