import { TaskpipeError } from '../../core/base/errors.ts';
import { type IdSet, stableHash } from '../../core/ids/index.ts';
import { Task } from '../../core/record/task.ts';
import { identify, NoIdentity } from '../../loaders/identity.ts';
import type { Loaded, ReadOptions } from '../../loaders/index.ts';
import type { LoadOptions } from './load-options.ts';
import type { Seen } from './seen-uuids.ts';

/** Counts of a load so far. */
export interface LoadCounts {
  /** Records that were read and have a uuid. */
  read: number;
  /** Tasks that came out. */
  loaded: number;
  /** Tasks left out because they are finished according to the ledger. */
  finished: number;
  /** Tasks left out because their uuid occurred before. */
  duplicates: number;
  /** Bytes read from files, before decompression. */
  bytes: number;
  /** Last record that was read, such as `a.csv:3001`; undefined before the first. */
  last: string | undefined;
}

/** Uuids of the tasks to leave out. */
export interface LeftOut {
  /** Uuids that are finished according to the ledger. */
  readonly finished: IdSet | undefined;
  /** Uuids of this load so far; undefined if duplicates are kept, or cannot occur. */
  readonly seen: Seen | undefined;
}

export type ToTask = (record: Loaded, read: ReadOptions) => Task | undefined;

/**
 * Returns the function that turns a record into a task. It returns undefined for a record that is left out.
 */
export function taskMaker(options: LoadOptions, counts: LoadCounts, { finished, seen }: LeftOut): ToTask {
  const { offset = 0, shard, duplicates, require = [], uuidFields } = options;
  const identity = identify(options);
  const isDuplicate = duplicateFinder(uuidFields !== undefined);
  return (record, read) => {
    const { source, reject } = read;
    if (record.fault !== undefined) {
      reject({ source, line: record.line, code: 'OBJECT', message: record.fault, text: record.source });
      return undefined;
    }
    const missing = require.find((name) => record.isMissing(name));
    if (missing !== undefined) {
      const message = `${JSON.stringify(missing)} is missing or empty (--require)`;
      reject({ source, line: record.line, code: 'REQUIRED', message, text: record.source });
      return undefined;
    }
    const uuid = identity(record);
    if (uuid instanceof NoIdentity) {
      reject({ source, line: record.line, code: 'UUID', message: uuid.why, text: record.source });
      return undefined;
    }
    counts.read++;
    if (counts.read <= offset) return undefined;
    if (shard !== undefined && stableHash(uuid) % shard.of !== shard.index - 1) return undefined;
    if (finished?.has(uuid)) {
      counts.finished++;
      return undefined;
    }
    if (seen !== undefined && isDuplicate(seen, uuid, record, source)) {
      if (duplicates === 'fail') {
        throw new TaskpipeError(
          'DATA',
          `${source}:${record.line}: the uuid ${uuid} is that of ${seen.firstPlace} (--duplicates fail)`,
        );
      }
      counts.duplicates++;
      return undefined;
    }
    return new Task(uuid, record.toLine(uuid));
  };
}

/** Returns a function that returns whether a uuid is a duplicate, and compares such a record with the first one. */
function duplicateFinder(
  isMade: boolean,
): (seen: Seen, uuid: string, record: Loaded, source: string) => boolean {
  return (seen, uuid, record, source) => {
    const isNew = seen.add(uuid);
    // Records whose uuid is made of all attributes are the same if their uuids are.
    const checksum = isMade || record.uuid !== undefined ? record.checksum() : 0;
    if (isNew) seen.keepFirst(source, record.line, checksum);
    else seen.compare(source, record.line, checksum);
    return !isNew;
  };
}
