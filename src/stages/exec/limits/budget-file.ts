import { randomUUID } from 'node:crypto';
import { closeSync, fdatasyncSync, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { resolve } from 'node:path';
import { ioError, TaskpipeError } from '../../../core/base/errors.ts';
import { syncFolder } from '../../../core/storage/durable.ts';
import { assertOwnFile, headerOf } from '../../../core/storage/file-kind.ts';
import { isFileAt } from '../../../core/storage/named-file.ts';
import type { Amounts } from './cost-expressions.ts';

/** Size of the pieces that are read, in bytes. */
const PIECE = 64 * 1024;

interface Line {
  readonly by?: unknown;
  readonly claim?: unknown;
  readonly amounts?: Readonly<Record<string, unknown>>;
}

/**
 * File with the spending of several processes, present and past. Each line is a claim of one process: the sum of its
 * spending and of the estimates of its running attempts; its last claim counts. Lines are only appended, each with
 * one write(2), so their order decides which of two simultaneous claims came first, without a lock. The claims of a
 * process that was killed stay.
 */
export class BudgetFile {
  readonly #path: string;
  readonly #fd: number;
  readonly #names: readonly string[];
  readonly #by = randomUUID();
  #number = 0;
  /** Latest claim of each other process, and their sums. */
  readonly #others = new Map<string, Amounts>();
  #sums: number[];
  #offset = 0;
  #tail: Buffer = Buffer.alloc(0);

  /**
   * Opens a file, and creates it if it does not exist.
   * @param names names of the amounts
   * @throws {TaskpipeError} `DATA` or `USAGE` if it is another kind of file; `IO`
   */
  constructor(path: string, names: readonly string[]) {
    this.#path = resolve(path);
    this.#names = names;
    this.#sums = names.map(() => 0);
    try {
      assertOwnFile(path, 'budget');
      this.#fd = openSync(path, 'a+', 0o666);
      // Two processes may both write the header, which is not a claim.
      if (fstatSync(this.#fd).size === 0) this.#append(headerOf('budget'));
      syncFolder(path);
      this.#read();
    } catch (error) {
      throw ioError('cannot open --budget-file', path, error);
    }
  }

  /** Sums of the claims of other processes and of the spending of earlier ones. */
  get others(): Amounts {
    return this.#sums;
  }

  /**
   * Writes a claim of this process, durably.
   * @returns the earlier claims of other processes
   * @throws {TaskpipeError} `IO`
   */
  claim(amounts: Amounts): Amounts {
    const claim = ++this.#number;
    // JSON has no infinity, and null would count as 0.
    const written = (i: number): number => Math.min(amounts[i] as number, Number.MAX_VALUE);
    const shown = Object.fromEntries(this.#names.map((name, i) => [name, written(i)]));
    try {
      if (!isFileAt(this.#path, fstatSync(this.#fd)))
        throw new TaskpipeError(
          'IO',
          `${this.#path} was moved, replaced or deleted during the run; put it back, then run the same command again`,
        );
      this.#append(JSON.stringify({ by: this.#by, claim, at: new Date().toISOString(), amounts: shown }));
      fdatasyncSync(this.#fd);
      const before = this.#read(claim);
      if (before === undefined)
        throw new TaskpipeError(
          'IO',
          `${this.#path} was truncated by another program during the run; stop that program, then run the same command again`,
        );
      return before;
    } catch (error) {
      throw ioError('cannot write --budget-file', this.#path, error);
    }
  }

  close(): void {
    closeSync(this.#fd);
  }

  #append(line: string): void {
    // The newline in front ends a line that a crash has torn.
    const bytes = Buffer.from(`\n${line}\n`);
    if (writeSync(this.#fd, bytes) < bytes.length)
      throw new Error('the line was cut short; is the disk full?');
  }

  /** Reads the lines that were added. Returns the sums of the others before a claim of this process. */
  #read(claim?: number): Amounts | undefined {
    let before: Amounts | undefined;
    const buffer = Buffer.allocUnsafe(PIECE);
    for (;;) {
      const count = readSync(this.#fd, buffer, 0, PIECE, this.#offset);
      if (count === 0) return before;
      this.#offset += count;
      const bytes = Buffer.concat([this.#tail, buffer.subarray(0, count)]);
      const end = bytes.lastIndexOf(0x0a) + 1;
      this.#tail = bytes.subarray(end);
      for (const line of bytes.toString('utf8', 0, end).split('\n')) {
        const own = this.#take(line);
        if (own !== undefined && own === claim) before = this.#sums;
      }
    }
  }

  /** Takes a line. Returns the number of the claim if it is one of this process. */
  #take(line: string): number | undefined {
    const { by, claim, amounts } = parsed(line);
    if (typeof by !== 'string' || typeof amounts !== 'object' || amounts === null) return undefined;
    if (by === this.#by) return claim as number;
    const old = this.#others.get(by);
    const now = this.#names.map((name) => this.#amountOf(amounts[name] ?? 0, name));
    this.#others.set(by, now);
    this.#sums = this.#sums.map((sum, i) => sum - (old?.[i] ?? 0) + (now[i] as number));
    return undefined;
  }

  /** Returns a claimed amount. A wrong one would make the sum too low. @throws {TaskpipeError} `DATA` */
  #amountOf(value: unknown, name: string): number {
    if (typeof value === 'number' && value >= 0 && Number.isFinite(value)) return value;
    throw new TaskpipeError(
      'DATA',
      `${this.#path}: a claim has ${JSON.stringify(value)} ${name}, not a number of at least 0; correct that line, or delete the file to start over`,
    );
  }
}

/** Returns the parts of a line; none if a crash has torn it. */
function parsed(line: string): Line {
  try {
    return (JSON.parse(line) as Line | null) ?? {};
  } catch {
    return {};
  }
}
