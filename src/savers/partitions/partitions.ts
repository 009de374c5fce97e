import { closeSync } from 'node:fs';
import pMap from 'p-map';
import { TaskpipeError } from '../../core/base/errors.ts';
import { IdSet } from '../../core/ids/index.ts';
import { parseTask } from '../../core/record/ndjson.ts';
import type { Task } from '../../core/record/task.ts';
import type { Destination, DestinationOptions, Misfit, OpenRows, RowBatch } from '../contract.ts';
import { openFile } from '../file/file-destination.ts';
import { FolderLedger } from './folder-ledger.ts';
import { endFolderRun, lockFolder } from './folder-lock.ts';
import { PartitionFiles } from './partition-files.ts';
import { partitionValue } from './partition-names.ts';

/** Options of an output in partitions. */
export interface PartitionOptions extends DestinationOptions {
  readonly openRows: OpenRows;
  /** Attribute, by name or path, that selects the file of a row. */
  readonly partitionBy: string;
}

/**
 * Opens an output with one file per value of an attribute. All files share one ledger: a commit syncs its rows in
 * every file before the ledger names them. Reads all rows at the start.
 * @throws {TaskpipeError} `LOCKED`, `IO`, `DATA` if a file does not match the ledger, `USAGE`
 */
export async function openPartitions(options: PartitionOptions): Promise<Destination> {
  const { fields, path } = options;
  if (fields !== undefined && !fields.some((field) => field.path === 'uuid'))
    throw new TaskpipeError(
      'USAGE',
      '--partition-by needs the uuid among --fields: a start finds saved rows by it',
    );
  const lock = lockFolder(options);
  const ledger = await FolderLedger.open(options).catch((error) => {
    endFolderRun(options);
    closeSync(lock);
    throw error;
  });
  const saved = new IdSet();
  const given = { ...options, ledger: undefined };
  const files = new PartitionFiles(path, options.partitionBy, (file, onRow) =>
    openFile({ ...given, path: file, onRow }),
  );
  const destination = new Partitions(options, files, ledger, { saved, lock });
  try {
    await files.visit((uuid) => {
      if (saved.add(uuid)) ledger?.meet(uuid);
    });
    await ledger?.agree(saved);
    destination.isFresh = saved.size === 0;
    return destination;
  } catch (error) {
    endFolderRun(options);
    await destination.close();
    throw error;
  }
}

/** Number of files that are written at the same time. */
const AT_ONCE = 8;

/** A task with its place in the batch. */
interface Placed {
  readonly task: Task;
  readonly index: number;
}

class Partitions implements Destination {
  readonly saved: IdSet;
  readonly writesLedger = true;
  readonly refuses = true;
  isFresh = false;
  readonly #options: PartitionOptions;
  readonly #files: PartitionFiles;
  readonly #ledger: FolderLedger | undefined;
  readonly #lock: number;

  constructor(
    options: PartitionOptions,
    files: PartitionFiles,
    ledger: FolderLedger | undefined,
    { saved, lock }: { saved: IdSet; lock: number },
  ) {
    this.#options = options;
    this.#files = files;
    this.#ledger = ledger;
    this.saved = saved;
    this.#lock = lock;
  }

  isUnmarked(uuid: string): boolean {
    return this.#ledger?.isUnmarked(uuid) ?? false;
  }

  /** Returns no row: the columns depend on the file, which `commit` opens. */
  encode(): string {
    return '';
  }

  missingColumns(): readonly string[] {
    return [];
  }

  /** Writes and syncs the rows of each file, then marks all of them as finished. */
  async commit({ lines, uuids, refused }: RowBatch): Promise<void> {
    const parts = new Map<string, Placed[]>();
    lines.forEach((line, index) => {
      const task = parseTask(line) as Task;
      const folder = this.#files.folderOf(partitionValue(task, this.#options.partitionBy));
      const part = parts.get(folder);
      if (part === undefined) parts.set(folder, [{ task, index }]);
      else part.push({ task, index });
    });
    const failed = new Set<string>();
    const save = async ([folder, tasks]: [string, Placed[]]): Promise<void> => {
      const destination = await this.#files.at(folder);
      for (const [{ task, index }, why] of await saveTo(destination, tasks, this.#options.widen)) {
        refused.set(index, why);
        failed.add(task.uuid);
      }
    };
    await pMap(parts, save, { concurrency: AT_ONCE });
    await this.#ledger?.mark(failed.size === 0 ? uuids : uuids.filter((uuid) => !failed.has(uuid)));
  }

  async widen(): Promise<void> {}

  async finish(isWhole: boolean): Promise<boolean> {
    await this.#ledger?.mark([]);
    await this.#files.finish(isWhole);
    await this.#ledger?.check();
    endFolderRun(this.#options);
    return true;
  }

  async close(): Promise<void> {
    await this.#files.close();
    await this.#ledger?.close();
    closeSync(this.#lock);
  }
}

/**
 * Saves tasks to one file. With `widen`, adds the columns that they need.
 * @returns tasks that have no row, with the reason
 */
async function saveTo(
  destination: Destination,
  tasks: readonly Placed[],
  widen = false,
): Promise<Map<Placed, Misfit>> {
  const refused = new Map<Placed, Misfit>();
  let rows: string[] = [];
  const flush = async (): Promise<void> => {
    if (rows.length > 0) await destination.commit(batchOf(rows));
    rows = [];
  };
  for (const placed of tasks) {
    let row = destination.encode(placed.task);
    if (typeof row !== 'string' && widen && row.columns.length > 0) {
      await flush(); // the first row of a new file comes with the header
      const columns = tasks.flatMap(({ task }) => destination.missingColumns(task));
      await destination.widen([...new Set(columns)]);
      row = destination.encode(placed.task);
    }
    if (typeof row === 'string') rows.push(row);
    else refused.set(placed, row);
  }
  await flush();
  return refused;
}

function batchOf(rows: readonly string[]): RowBatch {
  return {
    ...{ rows: Buffer.from(rows.join('')), rowCount: rows.length, uuids: [], ends: [], lines: [] },
    refused: new Map(),
  };
}
