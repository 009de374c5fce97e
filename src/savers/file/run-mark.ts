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
 * A file beside the output, OUT.run, is there from the first append of a run to its clean end. So the next start can
 * tell a crash, which may have torn the last rows, from an edit by a person, of which nothing may be cut off.
 */

/** State of an output before a run appended to it. Bytes after it may be torn; bytes before it are not. */
export interface RunMark {
  /** Size of the output. */
  readonly size: number;
  /** Whether its last row had no line end. */
  readonly isOpen: boolean;
  /** Whether its rows have a uuid. */
  readonly hasUuid: boolean;
}

/** Begins every mark, so that another file of that name is not taken for one. */
const HEAD = '{"taskpipe":"run"';

function markPath(path: string): string {
  return `${path}.run`;
}

/**
 * Reads the mark that a run has left because it did not end well. One that a crash has torn counts as none: no row is
 * written before the mark is on the disk.
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

/** Longer than any mark. */
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

/** Checks that marks can be made in the folder of an output. @throws {TaskpipeError} `IO` */
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

/** State of an output when a run begins. */
export interface RunStart {
  readonly path: string;
  readonly sync: boolean;
  readonly writer: LedgerWriter | undefined;
  /** Line end that the last row lacks, or ''. */
  readonly lacks: string;
  /** Whether the ledger has a seal of the output as it is. */
  readonly isSealed: boolean;
  /** Adds rows to the ledger that it does not name. */
  readonly addUnknown?: (() => Promise<void>) | undefined;
}

/** A run on an output: marks it before the first append, and seals it in the ledger at a clean end. */
export class OutputRun {
  readonly #start: RunStart;
  #isSealed: boolean;
  #hasBegun = false;
  #addUnknown: (() => Promise<void>) | undefined;

  constructor(start: RunStart) {
    this.#start = start;
    this.#addUnknown = start.addUnknown;
    this.#isSealed = start.isSealed;
  }

  /** Marks the output and completes its last row. Does so once; must be called before anything is appended. */
  async begin(output: OutputFile, hasUuid: boolean): Promise<void> {
    if (this.#hasBegun) return;
    const { path, sync, lacks } = this.#start;
    writeMark(path, { size: output.size, isOpen: lacks !== '', hasUuid }, sync);
    this.#hasBegun = true;
    this.#isSealed = false;
    if (lacks === '') return;
    await output.append(Buffer.from(lacks));
    // Before other rows: a power loss then cannot leave zeros in its place and rows behind them.
    if (sync) await output.sync();
  }

  /** Adds rows to the ledger that it does not name. Does so once; must be called before the output is read or changed. */
  async addUnknown(): Promise<void> {
    const add = this.#addUnknown;
    this.#addUnknown = undefined;
    await add?.();
  }

  /** Must be called before the ledger names more of the output: the seal does not count any longer. */
  unseal(): void {
    this.#isSealed = false;
  }

  /** Seals the output, whose rows are all safe, and removes the mark. */
  async end(output: OutputFile, rows: number, hasUuid: boolean): Promise<void> {
    const { path, sync, writer } = this.#start;
    await this.addUnknown();
    if (!this.#isSealed) await writer?.know(output.size, sync, { stamp: output.stamp, rows, hasUuid });
    if (this.#hasBegun) removeMark(path, sync);
  }
}
