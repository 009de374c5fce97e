import { type FileHandle, open } from 'node:fs/promises';
import { ioError, systemCode } from '../../core/base/errors.ts';
import { type Fast, type LedgerLine, parseLine, readFast } from './jsonl-line.ts';

/** Callbacks for the lines of a ledger, in order. */
export interface LedgerVisitor {
  /**
   * Called for a line in the exact form that this project writes, except undone ones.
   * @param found places in `bytes`, valid during this call only
   * @param out the line's `out`; meaningful only if `found.end` is not -1
   * @param place start of the line, in bytes from the start of the file
   */
  fast(bytes: Buffer, found: Fast, out: string, place: number): void;
  /** Called for any other valid line, with its text. */
  line(line: LedgerLine, place: number, text: string): void;
  /**
   * Called for a line that is torn, or not a line of a ledger.
   * @param number line number, from 1
   * @param hasGap true if whole lines may be missing there: the line has NULs, where bytes never reached the
   *   disk, or it is too long to be checked
   */
  bad?(number: number, message: string, hasGap: boolean): void;
}

const CHUNK = 1024 * 1024;
const NEWLINE = 10;

/** Reads a ledger to its end. A missing file counts as empty. @throws {TaskpipeError} `IO` */
export async function scanLedger(path: string, visitor: LedgerVisitor): Promise<void> {
  for await (const _ of scanChunks(path, visitor));
}

/**
 * Reads a ledger in chunks of 1 MB, and yields after each. A missing file counts as empty.
 * @throws {TaskpipeError} `IO`
 */
export async function* scanChunks(path: string, visitor: LedgerVisitor): AsyncGenerator<void> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    // A device stores nothing, and /dev/full or /dev/zero would never end.
    if ((await file.stat()).isCharacterDevice()) return;
    yield* scanFile(file, new LineScanner(visitor));
  } catch (error) {
    if (file !== undefined || systemCode(error) !== 'ENOENT')
      throw ioError('cannot read the ledger', path, error);
  } finally {
    await file?.close();
  }
}

async function* scanFile(file: FileHandle, scanner: LineScanner): AsyncGenerator<void> {
  const buffer = Buffer.allocUnsafe(CHUNK);
  let kept = 0;
  for (let place = 0; ; ) {
    const { bytesRead } = await file.read(buffer, kept, CHUNK - kept, place + kept);
    const filled = kept + bytesRead;
    const used = scanner.scan(buffer, filled, place);
    if (bytesRead === 0 && filled > used) scanner.last(buffer.subarray(used, filled), place + used);
    yield;
    if (bytesRead === 0) return;
    buffer.copyWithin(0, used, filled);
    kept = filled - used;
    place += used;
  }
}

class LineScanner {
  readonly #visitor: LedgerVisitor;
  readonly #fast: Fast = { from: 0, to: 0, end: -1 };
  #number = 0;
  /** True inside a line that is longer than the buffer. */
  #skipping = false;
  /** The `out` of the last line that had one, as most lines have the same. */
  #out = '';
  #outText: Buffer | undefined;

  constructor(visitor: LedgerVisitor) {
    this.#visitor = visitor;
  }

  /** Reads the complete lines of `bytes` up to `limit`. Returns the number of bytes used. */
  scan(bytes: Buffer, limit: number, place: number): number {
    const visitor = this.#visitor;
    let start = 0;
    while (start < limit) {
      if (!this.#skipping) {
        const newline = readFast(bytes, start, limit, this.#outText, this.#fast);
        if (newline > 0) {
          this.#number++;
          visitor.fast(bytes, this.#fast, this.#out, place + start);
          start = newline + 1;
          continue;
        }
      }
      const newline = bytes.indexOf(NEWLINE, start);
      if (newline < 0 || newline >= limit) break;
      this.#slow(bytes.subarray(start, newline), place + start);
      start = newline + 1;
    }
    if (start > 0 || limit < bytes.length) return start;
    this.#skipping = true;
    return limit;
  }

  /** Reads the last line of a file, which has no newline. It counts if it is valid. */
  last(bytes: Buffer, place: number): void {
    this.#slow(bytes, place);
  }

  #slow(bytes: Buffer, place: number): void {
    this.#number++;
    const isLong = this.#skipping;
    const line = isLong ? 'longer than 1 MB' : bytes.length === 0 ? undefined : parseLine(bytes);
    this.#skipping = false;
    if (line === undefined) return;
    if (typeof line === 'string') {
      this.#visitor.bad?.(this.#number, line, isLong || bytes.includes(0));
      return;
    }
    if (line.out !== undefined && line.out !== this.#out) {
      this.#out = line.out;
      this.#outText = Buffer.from(JSON.stringify(line.out));
    }
    this.#visitor.line(line, place, bytes.toString().trim());
  }
}
