import { existsSync, rmSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { quote } from 'shlex';
import { ioError, TaskpipeError } from '../../core/base/errors.ts';
import { counted } from '../../core/base/format.ts';
import { IdSet } from '../../core/ids/index.ts';
import type { Task } from '../../core/record/task.ts';
import type { RowForm } from '../../core/simd/row-form.ts';
import { resolved, syncFolder } from '../../core/storage/durable.ts';
import { type LedgerWriter, openLedger } from '../../ledgers/index.ts';
import type { Destination, DestinationOptions, Misfit, OpenRows, RowBatch, Rows } from '../contract.ts';
import { assertUtf8 } from '../foreign-form.ts';
import { codecFor } from '../packed/codec.ts';
import type { UnusedFields } from '../rows/columns.ts';
import { checkColumns, mustHaveUuid } from './check-columns.ts';
import type { Head } from './contract.ts';
import type { OpenLedger } from './missing-rows.ts';
import { type OutputFile, openOutput } from './output-file.ts';
import { mayTearHeader, recover, recoverHead } from './recover.ts';
import { checkMarkable, OutputRun, readMark } from './run-mark.ts';

export interface FileOptions extends DestinationOptions {
  readonly openRows: OpenRows;
  /** Called with the uuid of each existing row, unless a seal in the ledger verifies the rows. */
  readonly onRow?: ((uuid: string) => void) | undefined;
}

/** The same options, with symbolic links resolved in `path`. */
interface RealOptions extends FileOptions {
  /** Path that was given. It must name the output until the end of the run. */
  readonly given: string;
}

/**
 * Opens a file to save to: locks it, and makes it and the ledger agree.
 * @throws {TaskpipeError} `LOCKED`, `IO`, `DATA` if the file does not match the ledger, `USAGE` if tasks
 *   cannot be saved to it
 */
export async function openFile(options: FileOptions): Promise<Destination> {
  // A new file must not replace a symbolic link to the old one. But the ledger knows the rows by the given
  // path: someone may have replaced the file by a link to an older copy.
  const real = { ...options, path: realOutput(options.path), given: options.path };
  return options.overwrite ? openOverwritten(real) : openAppended(real);
}

function realOutput(path: string): string {
  try {
    return resolved(path);
  } catch (error) {
    throw ioError('cannot open', path, error);
  }
}

async function openAppended(options: RealOptions): Promise<Destination> {
  const { path, given, warn, info, sync, onRow, acceptEdits = false } = options;
  let output = openOutput(path, warn, { given });
  let opened: OpenLedger | undefined;
  try {
    checkMarkable(path);
    const mark = readMark(path);
    output = await asPacked(output, options, mark?.size);
    opened = await openLedgerOf(options);
    const head = { output, opened, mark, sync, acceptEdits, warn, info, onRow };
    const rows = await openRows(head, options);
    if (opened === undefined && !rows.hasUuid && options.fields !== undefined) {
      info(`${path} has no uuid column: only duplicates within this run are noticed (--ledger knows all)`);
    }
    const hasRows = output.size > rows.first;
    const { saved, ...state } = await recover({ ...head, rows });
    checkColumns(rows, options, hasRows);
    const run = new OutputRun({ path, sync, writer: opened?.writer, ...state });
    const file = new FileDestination(options, output, rows, { saved, opened, run, hasRows });
    if (rows.lacking.length > 0) await file.widen(rows.lacking);
    return file;
  } catch (error) {
    // Remove a new output that stays empty: the next start must find it missing, too.
    if (output.isNew && output.size === 0) rmSync(path, { force: true });
    await output.close();
    await opened?.writer.close();
    throw error;
  }
}

/**
 * Returns an output as a file of its contents, if its name says that it is packed.
 * @param markedEnd length of the contents before a run that did not end cleanly
 */
async function asPacked(
  file: OutputFile,
  { path, warn }: RealOptions,
  markedEnd?: number,
): Promise<OutputFile> {
  const codec = await codecFor(path);
  if (codec === undefined) return file;
  const { openPacked } = await import('../packed/packed-file.ts');
  return openPacked(file, { codec, markedEnd, warn });
}

async function openLedgerOf(options: RealOptions): Promise<OpenLedger | undefined> {
  const { ledger: place, given, warn, patience } = options;
  if (place === undefined) return undefined;
  const ledger = openLedger(place, warn, { patience });
  const writer = await ledger.open(given);
  try {
    return { path: given, ledger, writer, history: await ledger.history(given) };
  } catch (error) {
    await writer.close();
    throw error;
  }
}

async function openRows(head: Head, options: RealOptions): Promise<Rows> {
  const { output, mark } = head;
  for await (const first of output.chunks(0)) {
    assertUtf8(options.path, first);
    break;
  }
  const format = { ...options, mayBeTorn: mayTearHeader(mark) };
  const rows = await options.openRows(output.chunks(0), format);
  if (rows === undefined) await recoverHead(head);
  return rows ?? ((await options.openRows(output.chunks(0), options)) as Rows);
}

/**
 * Opens a new file that replaces the output at the end. Also locks the old one: no other process may append
 * to it.
 */
async function openOverwritten(options: RealOptions): Promise<Destination> {
  const { path, warn } = options;
  const old = existsSync(path) ? openOutput(path, warn) : undefined;
  try {
    const file = openOutput(`${path}.new`, warn, { instead: path, mode: old?.mode });
    const output = await asPacked(file, options);
    const rows = (await options.openRows(output.chunks(0), options)) as Rows;
    return new FileDestination(options, output, rows, { saved: new IdSet(), old });
  } catch (error) {
    await old?.close();
    throw error;
  }
}

/** State of a file destination besides its output. */
interface FileState {
  readonly saved: IdSet;
  readonly opened?: OpenLedger | undefined;
  /** Absent with `--overwrite`. */
  readonly run?: OutputRun;
  /** True if the output had rows at the start. */
  readonly hasRows?: boolean;
  /** With `--overwrite`: the file that is overwritten, if there is one. */
  readonly old?: OutputFile | undefined;
}

class FileDestination implements Destination {
  readonly saved: IdSet;
  readonly isFresh: boolean;
  readonly writesLedger: boolean;
  readonly #options: RealOptions;
  readonly #rows: Rows;
  readonly #writer: LedgerWriter | undefined;
  readonly #undone: IdSet | undefined;
  readonly #run: OutputRun | undefined;
  readonly #old: OutputFile | undefined;
  readonly #hasRows: boolean;
  /** Path of the file that is written: the output, or the file that replaces it at the end. */
  readonly #place: string;
  #output: OutputFile;
  /** Number of rows that this run has written. */
  #written = 0;

  constructor(options: RealOptions, output: OutputFile, rows: Rows, state: FileState) {
    const { saved, opened, run, old, hasRows = false } = state;
    this.#options = options;
    this.#output = output;
    this.#place = options.overwrite ? `${options.path}.new` : options.path;
    this.#rows = rows;
    this.saved = saved;
    this.#writer = opened?.writer;
    this.#undone = opened?.history.undone;
    this.#run = run;
    this.isFresh = output.size === 0;
    this.#old = old;
    this.#hasRows = hasRows;
    this.writesLedger = opened !== undefined;
  }

  isUnmarked(uuid: string): boolean {
    return this.#undone?.delete(uuid) ?? false;
  }

  encode(task: Task): string | Misfit {
    const row = this.#rows.encode(task);
    if (typeof row !== 'string') mustHaveUuid(this.#rows, this.#options, this.#hasRows);
    return row;
  }

  missingColumns(task: Task): readonly string[] {
    return this.#rows.missingColumns(task);
  }

  mustHoldResult(task: Task): void {
    if (!this.#rows.lacksResult(task)) return;
    const { path } = this.#options;
    throw new TaskpipeError(
      'USAGE',
      `${path} has a row for task ${task.uuid} already, but without a result, so nothing would be saved. If ${path} is the input too, save to another file; to skip such tasks, name the columns with --fields`,
    );
  }

  get unusedFields(): UnusedFields | undefined {
    return this.#rows.unusedFields;
  }

  get form(): RowForm | undefined {
    return this.#rows.form;
  }

  takes(task: Task): boolean {
    return this.#rows.takes?.(task) === true;
  }

  /** Writes the rows, then the ledger; docs/guarantees.md gives the reason for this order. */
  async commit({ rows, rowCount, uuids, ends }: RowBatch): Promise<void> {
    const { sync } = this.#options;
    await this.#run?.settle();
    if (rows.length > 0) await this.#run?.begin(this.#output, this.#rows.hasUuid);
    else if (uuids.length > 0) this.#run?.unseal();
    const from = this.#output.size;
    if (rows.length > 0) {
      await this.#output.append(rows);
      this.#written += rowCount;
      if (sync) await this.#output.sync();
    }
    await this.#checkName(rowCount);
    if (this.#writer === undefined || uuids.length === 0) return;
    await this.#writer.appendRows(uuids, ends, from, sync);
  }

  /**
   * Checks that the path still names the file; else its rows are lost.
   * @param unmarked rows not yet in the ledger
   */
  #checkName(unmarked = 0): Promise<void> {
    const total = this.#written;
    const also =
      this.writesLedger && unmarked > 0 && unmarked < total ? ` (${unmarked} of them not in the ledger)` : '';
    return this.#output.check({
      contents: total === 0 ? undefined : `${counted(total, 'row')} of this run in it${also}`,
      again: this.writesLedger
        ? ': it runs the tasks again that the ledger does not have, and reports rows that are missing'
        : ': it runs the tasks again whose rows are missing',
    });
  }

  /** Rewrites the output with more columns, and renames the new file into its place. */
  async widen(columns: readonly string[]): Promise<void> {
    const { path, warn, sync } = this.#options;
    await this.#run?.settle();
    const old = this.#output;
    await this.#run?.begin(old, this.#rows.hasUuid); // a last row without a line end is completed
    const temporary = `${this.#place}.wide`;
    const wide = await asPacked(
      openOutput(temporary, warn, { instead: path, mode: old.mode }),
      this.#options,
    );
    try {
      for await (const bytes of this.#rows.widen(columns, old.chunks(0))) await wide.append(bytes);
      await wide.sync();
      // If a file has this name meanwhile, it belongs to the user: do not overwrite it.
      await this.#checkName();
      await rename(temporary, this.#place);
      wide.renamed(this.#options.overwrite ? this.#place : this.#options.given);
      syncFolder(path);
    } catch (error) {
      await wide.close();
      await rm(temporary, { force: true });
      throw ioError('cannot widen', path, error);
    }
    this.#output = wide;
    await old.close();
    // The rows have moved: the ledger must know all rows of the output up to its new end.
    await this.#writer?.know(wide.size, sync);
  }

  async finish(isWhole: boolean): Promise<boolean> {
    const { path, overwrite, warn } = this.#options;
    await this.#checkName();
    await this.#run?.end(this.#output, this.saved.size, this.#rows.hasUuid);
    await this.#writer?.check();
    if (!overwrite) return true;
    if (!isWhole) {
      warn(`stopped: ${path} is unchanged, and the new rows are in ${this.#place}`);
      return false;
    }
    await this.#output.sync();
    try {
      this.#checkOld();
      await rename(this.#place, path);
      syncFolder(path);
    } catch (error) {
      throw ioError('cannot overwrite', path, error);
    }
    return true;
  }

  /** Refuses to overwrite a file that was changed or replaced since the start. */
  #checkOld(): void {
    const { path } = this.#options;
    if (this.#old?.isUnchanged() ?? !existsSync(path)) return;
    throw new TaskpipeError(
      'IO',
      `${path} was changed by another program during the run and is not overwritten; to overwrite it: mv ${quote(this.#place)} ${quote(path)}`,
    );
  }

  async close(): Promise<void> {
    await this.#output.close();
    await this.#old?.close();
    await this.#writer?.close();
  }
}
