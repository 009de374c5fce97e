/*
 * Saves to a folder of Parquet files: one row per uuid. A commit is a part, which is written under a temporary name and
 * renamed. Owns the parts and their columns. Must not know the order of records: that belongs to the router.
 */
import { closeSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ioError, TaskpipeError } from '../../core/base/errors.ts';
import { IdSet } from '../../core/ids/index.ts';
import type { Task } from '../../core/record/task.ts';
import type { Destination, DestinationOptions, Misfit, RowBatch } from '../contract.ts';
import { FolderLedger } from '../partitions/folder-ledger.ts';
import { endFolderRun, lockFolder } from '../partitions/folder-lock.ts';
import { joined, type PartKind, PartTable } from './part-columns.ts';
import { readPart, writePart } from './part-file.ts';
import { PARQUET_LIMITS } from './part-limits.ts';
import { PartRows } from './part-rows.ts';

/**
 * Opens a folder of Parquet files to save to. Reads the uuids of all parts at the start.
 * @throws {TaskpipeError} `LOCKED`, `IO`, `DATA` if a part is not readable or does not match the ledger, `USAGE`
 */
export async function openParquet(given: DestinationOptions): Promise<Destination> {
  const options = { ...given, path: given.path.replace(/(?<=.)\/+$/, '') };
  checkOptions(options);
  makeFolder(options.path);
  const lock = lockFolder(options);
  let ledger: FolderLedger | undefined;
  try {
    ledger = await FolderLedger.open(options);
    const folder = await readFolder(options.path, (uuid) => ledger?.meet(uuid));
    await ledger?.agree(folder.saved);
    return new ParquetDestination(options, folder, ledger, lock);
  } catch (error) {
    await ledger?.close();
    endFolderRun(options);
    closeSync(lock);
    throw error;
  }
}

/** @throws {TaskpipeError} `USAGE` for options that a folder of parts cannot use */
function checkOptions({ widen, overwrite, escapeFormulas, fields = [], path }: DestinationOptions): void {
  const refuse = (words: string): never => {
    throw new TaskpipeError('USAGE', words);
  };
  if (widen) refuse(`--widen is for CSV: a part of ${path} has a column for each attribute by itself`);
  if (overwrite)
    refuse(
      `--overwrite is for files and SQLite: the parts of ${path} are never changed; remove the folder first`,
    );
  if (escapeFormulas) refuse('--escape-formulas is for CSV: no spreadsheet opens Parquet');
  const other = fields.find((field) => field.path === 'uuid' && field.name !== 'uuid');
  if (other !== undefined)
    refuse(`--fields: the column uuid tells which tasks are saved in ${path}; got ${other.name}=uuid`);
}

/** Creates the folder. @throws {TaskpipeError} `USAGE` if the path is a file, `IO` */
function makeFolder(path: string): void {
  let isFile = false;
  try {
    isFile = statSync(path, { throwIfNoEntry: false })?.isDirectory() === false;
    if (!isFile) mkdirSync(path, { recursive: true });
  } catch (error) {
    throw ioError('cannot create', path, error);
  }
  if (isFile)
    throw new TaskpipeError(
      'USAGE',
      `${path} is a file: Parquet is saved as a folder of parts, as in task-save ${path}.parts --format parquet`,
    );
}

/** Contents of a folder of parts. */
interface Folder {
  readonly saved: IdSet;
  /** Columns of all parts. */
  readonly kinds: Map<string, PartKind>;
  /** Number of the last part. */
  readonly last: number;
}

const PART = /^part-(\d+)\.parquet$/;
/** Parts that a crash left unfinished. Readers of folders ignore names that begin with a dot. */
const TEMPORARY = /^\.part-\d+\.parquet\.new$/;

function nameOf(part: number): string {
  return `part-${String(part).padStart(6, '0')}.parquet`;
}

/** Reads all parts, and removes unfinished ones. @param onRow called with the uuid of each row */
async function readFolder(path: string, onRow: (uuid: string) => void): Promise<Folder> {
  const saved = new IdSet();
  const kinds = new Map<string, PartKind>();
  let last = 0;
  for (const name of namesIn(path)) {
    last = Math.max(last, Number(PART.exec(name)?.[1] ?? 0));
    const part = await readPart(join(path, name));
    for (const [column, kind] of part.kinds) kinds.set(column, joined(kinds.get(column), kind));
    for await (const uuids of part.uuids) for (const uuid of uuids) if (saved.add(uuid)) onRow(uuid);
  }
  return { saved, kinds, last };
}

function namesIn(path: string): readonly string[] {
  try {
    const names = readdirSync(path).sort();
    for (const name of names) if (TEMPORARY.test(name)) rmSync(join(path, name), { force: true });
    return names.filter((name) => name.endsWith('.parquet') && !name.startsWith('.'));
  } catch (error) {
    throw ioError('cannot read', path, error);
  }
}

class ParquetDestination implements Destination {
  readonly saved: IdSet;
  readonly isFresh: boolean;
  readonly writesLedger: boolean;
  readonly limits = PARQUET_LIMITS;
  readonly #options: DestinationOptions;
  readonly #rows: PartRows;
  readonly #kinds: Map<string, PartKind>;
  readonly #ledger: FolderLedger | undefined;
  readonly #lock: number;
  /** Number of the last part. */
  #last: number;

  constructor(options: DestinationOptions, folder: Folder, ledger: FolderLedger | undefined, lock: number) {
    this.#options = options;
    this.saved = folder.saved;
    this.isFresh = folder.saved.size === 0;
    this.writesLedger = ledger !== undefined;
    this.#rows = new PartRows(options.path, options.fields, folder.kinds.keys());
    this.#kinds = folder.kinds;
    this.#last = folder.last;
    this.#ledger = ledger;
    this.#lock = lock;
  }

  isUnmarked(uuid: string): boolean {
    return this.#ledger?.isUnmarked(uuid) ?? false;
  }

  encode(task: Task): string | Misfit {
    return this.#rows.encode(task);
  }

  missingColumns(): readonly string[] {
    return [];
  }

  async widen(): Promise<void> {}

  /** Writes a part, then marks its rows as finished. */
  async commit({ rows, uuids }: RowBatch): Promise<void> {
    if (rows.length > 0) await this.#writePart(rows);
    await this.#ledger?.mark(uuids);
  }

  async #writePart(rows: Buffer): Promise<void> {
    const { path, sync } = this.#options;
    const table = new PartTable(this.#kinds);
    for (const line of rows.toString('utf8', 0, rows.length - 1).split('\n'))
      table.add(this.#rows.valuesOf(line));
    const columns = table.columns();
    const name = nameOf(++this.#last);
    await writePart(join(path, name), join(path, `.${name}.new`), columns, sync);
    for (const column of columns) this.#kinds.set(column.name, column.kind);
  }

  async finish(): Promise<boolean> {
    await this.#ledger?.mark([]);
    await this.#ledger?.check();
    endFolderRun(this.#options);
    return true;
  }

  async close(): Promise<void> {
    await this.#ledger?.close();
    closeSync(this.#lock);
  }
}
