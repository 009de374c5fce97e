import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';
import { ioError } from '../core/errors.ts';
import { openRejects, type Rejects } from '../core/rejects.ts';
import { type EventsFile, openEvents } from '../stages/events-file.ts';
import { openSpool, type Spool } from '../stages/spool.ts';

type FileNames = Readonly<Record<'rejects' | 'events' | 'unfinished' | 'spool', string | undefined>>;

/** Takes tasks that were not finished. */
interface Unfinished {
  add(task: { line: string }): void;
  close(): Promise<void>;
}

/** What is written beside the output; undefined where it is not asked for. */
export interface Files {
  readonly rejects: Rejects;
  readonly events: EventsFile | undefined;
  readonly unfinished: Unfinished | undefined;
  readonly spool: Spool | undefined;
  close(): Promise<void>;
}

/** Opens what is written beside the output. */
export async function openFiles(names: FileNames, say: (message: string) => void): Promise<Files> {
  const rejects = await openRejects({ file: names.rejects, say });
  const events = names.events === undefined ? undefined : await openEvents(names.events);
  const unfinished = names.unfinished === undefined ? undefined : await openUnfinished(names.unfinished);
  const spool = names.spool === undefined ? undefined : openSpool(names.spool, say);
  return {
    ...{ rejects, events, unfinished, spool },
    async close(): Promise<void> {
      for (const file of [spool, events, unfinished, rejects]) await file?.close();
    },
  };
}

/** A file that unfinished tasks are added to. */
async function openUnfinished(file: string): Promise<Unfinished> {
  const out = createWriteStream(file, { flags: 'a' });
  const fail = (error: unknown): never => {
    throw ioError('cannot write --unfinished', file, error);
  };
  const closed = finished(out).catch(fail);
  closed.catch(() => {}); // is thrown by close()
  await once(out, 'open').catch(fail);
  return {
    add: ({ line }) => void out.write(`${line}\n`),
    async close() {
      out.end();
      await closed;
    },
  };
}
