import { existsSync, rmSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { quote } from 'shlex';
import { resolved, syncFolder } from '../core/durable.ts';
import { ioError, TaskpipeError } from '../core/errors.ts';
import { IdSet } from '../core/idset.ts';
import type { Task } from '../core/task.ts';
import { counted } from '../core/words.ts';
import { type History, type LedgerWriter, openLedger } from '../ledgers/index.ts';
import type { Unmet } from './columns.ts';
import { type OutputFile, openOutput } from './output.ts';
import { type Head, recover, recoverHead } from './recover.ts';
import type { Destination, DestinationOptions, Misfit, OpenRows, RowBatch, Rows } from './saver.ts';

/** How a file is saved to. */
export interface FileOptions extends DestinationOptions {
  readonly openRows: OpenRows;
}

/** The same with symbolic links resolved in `path`. */
interface RealOptions extends FileOptions {
  /** The path that was given: it must name the output to the end of the run. */
  readonly given: string;
}

/**
 * Opens a file to save to: locks it, and brings it and the ledger to agree.
 * @throws {TaskpipeError} `LOCKED`, `IO`, `DATA` where it is not what the ledger says, `USAGE` where it can't take
 *   what is to be saved
 */
export async function openFile(options: FileOptions): Promise<Destination> {
  // A new file must not take the place of a symbolic link to the old one.
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
  const { path, given, ledger: place, say, sync } = options;
  const output = openOutput(path, say, { given });
  let writer: LedgerWriter | undefined;
  try {
    const ledger = place === undefined ? undefined : openLedger(place, say);
    writer = await ledger?.open(path);
    const history = await ledger?.history(path);
    const rows = await openRows({ output, history, say }, options);
    if (history === undefined && !rows.hasUuid) {
      options.note(
        `${path} has no uuid column: only duplicates within this run are noticed (--ledger knows all)`,
      );
    }
    const saved = await recover({ output, rows, history, writer, sync, say });
    const file = new FileDestination(options, output, rows, saved, writer, history);
    if (rows.lacking.length > 0) await file.widen(rows.lacking);
    return file;
  } catch (error) {
    // Nothing is where nothing was: one that has gone away is to be missed the next time, too.
    if (output.isNew && output.size === 0) rmSync(path, { force: true });
    await output.close();
    await writer?.close();
    throw error;
  }
}

async function openRows({ output, history, say }: Head, options: FileOptions): Promise<Rows> {
  const rows = await options.openRows(output.chunks(0), options);
  if (rows === undefined) await recoverHead({ output, history, say });
  const opened = rows ?? ((await options.openRows(output.chunks(0), options)) as Rows);
  if (options.widen && options.ledger !== undefined && !opened.hasUuid) {
    throw new TaskpipeError(
      'USAGE',
      `--widen with --ledger needs a uuid column in ${options.path}: without one, nobody can tell which rows the ledger knows`,
    );
  }
  return opened;
}

/** A new file that takes the place of the output at the end. The old one is locked too: nobody may add to it. */
async function openOverwritten(options: RealOptions): Promise<Destination> {
  const { path, say } = options;
  const old = existsSync(path) ? openOutput(path, say) : undefined;
  try {
    const output = openOutput(`${path}.new`, say, { instead: path, mode: old?.mode });
    const rows = (await options.openRows(output.chunks(0), options)) as Rows;
    return new FileDestination(options, output, rows, new IdSet(), undefined, undefined, old);
  } catch (error) {
    await old?.close();
    throw error;
  }
}

class FileDestination implements Destination {
  readonly saved: IdSet;
  readonly marks: boolean;
  readonly #options: RealOptions;
  readonly #rows: Rows;
  readonly #writer: LedgerWriter | undefined;
  readonly #history: History | undefined;
  /** With `--overwrite`: what is overwritten, where there is such a file. */
  readonly #old: OutputFile | undefined;
  /** Where the file is that is written: the output, or what takes its place at the end. */
  readonly #place: string;
  #output: OutputFile;
  /** Number of rows that this run has written. */
  #written = 0;

  constructor(
    options: RealOptions,
    output: OutputFile,
    rows: Rows,
    saved: IdSet,
    writer: LedgerWriter | undefined,
    history: History | undefined,
    old?: OutputFile,
  ) {
    this.#options = options;
    this.#output = output;
    this.#place = options.overwrite ? `${options.path}.new` : options.path;
    this.#rows = rows;
    this.saved = saved;
    this.#writer = writer;
    this.#history = history;
    this.#old = old;
    this.marks = writer !== undefined;
  }

  isUnmarked(uuid: string): boolean {
    return this.#history?.undone.delete(uuid) ?? false;
  }

  encode(task: Task): string | Misfit {
    return this.#rows.encode(task);
  }

  lackedBy(task: Task): readonly string[] {
    return this.#rows.lackedBy(task);
  }

  mustHoldResult(task: Task): void {
    if (!this.#rows.lacksResult(task)) return;
    const { path, ledger = '' } = this.#options;
    const isMarked = this.#history !== undefined && this.#history.end === undefined;
    const marked = isMarked
      ? `. Its rows were added to ${ledger} as finished tasks; to take them out: task-load ${quote(path)} | task-done unmark ${quote(ledger)}`
      : '';
    throw new TaskpipeError(
      'USAGE',
      `${path} has a row for task ${task.uuid} already, but without a result, so nothing would be saved. If ${path} is the input too, save to another file; to skip such tasks, name the columns with --fields${marked}`,
    );
  }

  get unmet(): Unmet | undefined {
    return this.#rows.unmet;
  }

  /** Rows before the ledger, the ledger before `--tee`; docs/guarantees.md says why. */
  async commit({ rows, count, uuids, ends }: RowBatch): Promise<void> {
    const { sync } = this.#options;
    const from = this.#output.size;
    if (rows.length > 0) {
      await this.#output.append(rows);
      this.#written += count;
      if (sync) await this.#output.sync();
    }
    await this.#checkName(count);
    if (this.#writer === undefined || uuids.length === 0) return;
    await this.#writer.appendRows(uuids, ends, from, sync);
  }

  /** A row in a file that the path does not name is lost. @param unmarked the number of rows not yet in the ledger */
  #checkName(unmarked = 0): Promise<void> {
    const total = this.#written;
    const also =
      this.marks && unmarked > 0 && unmarked < total ? ` (${unmarked} of them not in the ledger)` : '';
    return this.#output.check({
      contents: total === 0 ? undefined : `${counted(total, 'row')} of this run in it${also}`,
      again: this.marks
        ? ': it runs the tasks again that the ledger does not have, and reports rows that are missing'
        : ': it runs the tasks again whose rows are missing',
    });
  }

  /** Writes the output anew with more columns, and renames that into its place. */
  async widen(columns: readonly string[]): Promise<void> {
    const { path, say, sync } = this.#options;
    const old = this.#output;
    const temporary = `${this.#place}.wide`;
    const wide = openOutput(temporary, say, { instead: path, mode: old.mode });
    try {
      for await (const bytes of this.#rows.widen(columns, old.chunks(0))) await wide.append(bytes);
      await wide.sync();
      // A file that took its name meanwhile is the user's: it must not be overwritten.
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
    // The rows have moved: all that is in the output now is known.
    await this.#writer?.know(wide.size, sync);
  }

  async finish(isWhole: boolean): Promise<boolean> {
    const { path, overwrite, say } = this.#options;
    await this.#checkName();
    await this.#writer?.check();
    if (!overwrite) return true;
    if (!isWhole) {
      say(`stopped: ${path} is as it was, and what came is in ${this.#place}`);
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

  /** Refuses to overwrite a file that is not the one that was there at the start. */
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
