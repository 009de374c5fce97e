import { optionName } from '../../core/options/option.ts';
import { openAppendStream } from '../../core/storage/append-stream.ts';
import { checkPlaces, filePath, type Place, STDIN, STDOUT } from '../../core/storage/path-conflicts.ts';
import { openRejects, type Rejects } from '../../core/text/rejects.ts';
import { type EventsFile, openEvents } from '../../stages/exec/events-file.ts';
import { openSpool, type Spool } from '../../stages/exec/spool.ts';

type FileNames = Readonly<Record<'rejects' | 'events' | 'unfinished' | 'spool', string | undefined>>;

/** File of `--unfinished`. */
interface Unfinished {
  add(task: { line: string }): void;
  close(): Promise<void>;
}

/** Files that a run writes besides its output; undefined if they were not asked for. */
export interface Files {
  readonly rejects: Rejects;
  readonly events: EventsFile | undefined;
  readonly unfinished: Unfinished | undefined;
  readonly spool: Spool | undefined;
  close(): Promise<void>;
}

/** Options that name files or folders which a run writes. */
const WRITTEN = [
  ...['rejects', 'events', 'unfinished', 'spool', 'flowLog', 'report', 'budgetFile'],
  ...['cookies', 'cache', 'bodyDir', 'logDir'],
];
/** Options that name files which a run only reads. */
const READ = ['module', 'flow', 'ledger', 'passwordFile'];

/**
 * Refuses one file for two uses.
 * @param values option values by key
 * @throws {TaskpipeError} `USAGE`
 */
export function checkFiles(values: Readonly<Record<string, unknown>>): void {
  const placeOf = (key: string): Place => {
    const path = values[key];
    return { use: optionName(key), path: typeof path === 'string' ? path : undefined };
  };
  const read = READ.map(placeOf).map(({ use, path }) => ({ use, path: filePath(path) }));
  checkPlaces([...WRITTEN.map(placeOf), STDOUT], [...read, STDIN]);
}

/** Opens the files that a run writes besides its output. */
export async function openFiles(names: FileNames, warn: (message: string) => void): Promise<Files> {
  const rejects = await openRejects({ file: names.rejects, warn });
  const events = names.events === undefined ? undefined : await openEvents(names.events);
  const unfinished = names.unfinished === undefined ? undefined : await openUnfinished(names.unfinished);
  const spool = names.spool === undefined ? undefined : openSpool(names.spool, warn);
  return {
    ...{ rejects, events, unfinished, spool },
    async close(): Promise<void> {
      for (const file of [spool, events, unfinished, rejects]) await file?.close();
    },
  };
}

/** Opens a file that unfinished tasks are appended to. */
async function openUnfinished(file: string): Promise<Unfinished> {
  const { lines, ended } = await openAppendStream('--unfinished', file);
  return {
    add: ({ line }) => void lines.write(`${line}\n`),
    async close() {
      lines.end();
      await ended;
    },
  };
}
