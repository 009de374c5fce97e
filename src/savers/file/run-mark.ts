import {
  accessSync,
  closeSync,
  constants,
  fsyncSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { ioError, TaskpipeError } from '../../core/base/errors.ts';
import { syncFolder } from '../../core/storage/durable.ts';
import type { LedgerWriter } from '../../ledgers/index.ts';
import type { OutputFile } from './output-file.ts';

/*
 * A file beside the output, OUT.run, exists from the first append of a run to its clean end. So the next start can
 * distinguish a crash from an edit by a person: after a crash, torn last rows may be cut off, but no part of an edit
 * may be lost.
 */

/** State of an output before a run appended to it. Bytes after it may be torn; bytes before it are not. */
export interface RunMark {
  /** Size of the output. */
  readonly size: number;
  /** True if the last row had no line end. */
  readonly isOpen: boolean;
  /** True if the rows have a uuid. */
  readonly hasUuid: boolean;
}

/** Start of every mark, so that another file with that name is not mistaken for one. */
const HEAD = '{"taskpipe":"run"';

function markPath(path: string): string {
  return `${path}.run`;
}

/**
 * Reads the mark of a run that did not end cleanly. Ignores a mark that a crash has torn: no row is written
 * before the mark is on the disk.
 * @throws {TaskpipeError} `DATA` if the file is something else, `IO`
 */
export function readMark(path: string): RunMark | undefined {
  const text = textOf(markPath(path)).replace(/\0.*/s, '').trim();
  if (!text.startsWith(HEAD) && !HEAD.startsWith(text)) {
    throw new TaskpipeError(
      'DATA',
      `${markPath(path)} is not a file of task-save, which needs that name while it writes ${path}: rename it`,
    );
  }
  try {
    const { size, open, uuids } = JSON.parse(text) as Readonly<Record<string, unknown>>;
    return Number.isSafeInteger(size)
      ? { size: size as number, isOpen: open === true, hasUuid: uuids === true }
      : undefined;
  } catch {
    return undefined;
  }
}

/** Upper bound of the size of a mark, in bytes. */
const MOST = 4096;

function textOf(mark: string): string {
  try {
    const stat = statSync(mark, { throwIfNoEntry: false });
    if (stat === undefined) return '';
    return stat.isFile() && stat.size <= MOST ? readFileSync(mark, 'utf8') : 'something else';
  } catch (error) {
    throw ioError('cannot read', mark, error);
  }
}

/** Checks that a mark can be created in the folder of an output. @throws {TaskpipeError} `IO` */
export function checkMarkable(path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK);
  } catch (error) {
    throw ioError('cannot write', markPath(path), error);
  }
}

function writeMark(path: string, { size, isOpen, hasUuid }: RunMark, sync: boolean): void {
  const mark = markPath(path);
  const state = { taskpipe: 'run', size, open: isOpen, uuids: hasUuid, at: new Date().toISOString() };
  try {
    const fd = openSync(mark, 'w', 0o666);
    try {
      const text = `${JSON.stringify(state)}\n`;
      if (writeSync(fd, text) < text.length) throw new Error('only a part was written; is the disk full?');
      if (sync) fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    if (sync) syncFolder(mark);
  } catch (error) {
    throw ioError('cannot write', mark, error);
  }
}

/** Removes the mark, if there is one. @throws {TaskpipeError} `IO` */
export function removeMark(path: string, sync: boolean): void {
  const mark = markPath(path);
  try {
    if (statSync(mark, { throwIfNoEntry: false }) === undefined) return;
    rmSync(mark, { force: true });
    if (sync) syncFolder(mark);
  } catch (error) {
    throw ioError('cannot remove', mark, error);
  }
}

/** State of an output at the start of a run. */
export interface RunStart {
  readonly path: string;
  readonly sync: boolean;
  readonly writer: LedgerWriter | undefined;
  /** Line end that the last row lacks, or ''. */
  readonly lacks: string;
  /** True if the seal in the ledger matches the output. */
  readonly isSealed: boolean;
  /** Makes the ledger agree with the output. */
  readonly settle?: (() => Promise<void>) | undefined;
}

/** A run on an output: marks it before the first append, and seals it in the ledger at a clean end. */
export class OutputRun {
  readonly #start: RunStart;
  #isSealed: boolean;
  #hasBegun = false;
  #settle: (() => Promise<void>) | undefined;

  constructor(start: RunStart) {
    this.#start = start;
    this.#settle = start.settle;
    this.#isSealed = start.isSealed;
  }

  /**
   * Marks the output and completes its last row, on the first call only. Call it before anything is appended.
   */
  async begin(output: OutputFile, hasUuid: boolean): Promise<void> {
    if (this.#hasBegun) return;
    const { path, sync, lacks } = this.#start;
    writeMark(path, { size: output.size, isOpen: lacks !== '', hasUuid }, sync);
    this.#hasBegun = true;
    this.#isSealed = false;
    if (lacks === '') return;
    await output.append(Buffer.from(lacks));
    // Sync it before other rows: otherwise a power loss could leave NULs in its place, followed by rows.
    if (sync) await output.sync();
  }

  /** Makes the ledger agree with the output, on the first call only. Call it before the output changes. */
  async settle(): Promise<void> {
    const settle = this.#settle;
    this.#settle = undefined;
    await settle?.();
  }

  /** Invalidates the seal. Call it before the ledger names more rows of the output. */
  unseal(): void {
    this.#isSealed = false;
  }

  /** Seals the output and removes the mark. All rows must be durable. */
  async end(output: OutputFile, rows: number, hasUuid: boolean): Promise<void> {
    const { path, sync, writer } = this.#start;
    await this.settle();
    if (!this.#isSealed) await writer?.know(output.size, sync, { stamp: output.stamp, rows, hasUuid });
    if (this.#hasBegun) removeMark(path, sync);
  }
}
