import { type FileHandle, open } from 'node:fs/promises';
import { ioError, systemCode } from '../../core/base/errors.ts';
import { ForeignLines } from './foreign-lines.ts';
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
  /**
   * Called at the end with the lines that a crash cannot cause. Default: reject the ledger if it has such lines and
   * no uuid.
   * @param hasUuids true if some line has a uuid
   */
  end?(foreign: ForeignLines, hasUuids: boolean): void;
}

const CHUNK = 1024 * 1024;
const NEWLINE = 10;
/** Size of the part of a long line that is kept for a check. */
const LONG_START = 4096;
const NUL: Buffer = Buffer.alloc(1);

/** Reads a ledger to its end. A missing file counts as empty. @throws {TaskpipeError} `IO`, `DATA` */
export async function scanLedger(path: string, visitor: LedgerVisitor): Promise<void> {
  for await (const _ of scanChunks(path, visitor));
}

/**
 * Reads a ledger in chunks of 1 MB, and yields after each. A missing file counts as empty.
 * @throws {TaskpipeError} `IO`; `DATA`, at the end, if it is not a ledger
 */
export async function* scanChunks(path: string, visitor: LedgerVisitor): AsyncGenerator<void> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    // A device stores nothing, and /dev/full or /dev/zero would never end.
    if ((await file.stat()).isCharacterDevice()) return;
    const scanner = new LineScanner(visitor);
    yield* scanFile(file, scanner);
    if (visitor.end === undefined) scanner.foreign.refuse(path, scanner.hasUuids);
    else visitor.end(scanner.foreign, scanner.hasUuids);
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
  /** Number of lines without a uuid. */
  #others = 0;
  /** Start of a line that is longer than the buffer; a NUL if it has any. Undefined in other lines. */
  #long: Buffer | undefined;
  /** The `out` of the last line with one, because most lines have the same. */
  #out = '';
  #outText: Buffer | undefined;

  readonly foreign: ForeignLines = new ForeignLines();

  constructor(visitor: LedgerVisitor) {
    this.#visitor = visitor;
  }

  get hasUuids(): boolean {
    return this.#number > this.#others;
  }

  /** Reads the complete lines of `bytes` up to `limit`. Returns the number of bytes used. */
  scan(bytes: Buffer, limit: number, place: number): number {
    const visitor = this.#visitor;
    let start = 0;
    while (start < limit) {
      if (this.#long === undefined) {
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
    this.#long ??= Buffer.from(bytes.subarray(0, LONG_START));
    if (bytes.includes(0)) this.#long = NUL;
    return limit;
  }

  /** Reads the last line of a file, which has no newline. It counts if it is valid. */
  last(bytes: Buffer, place: number): void {
    this.#slow(bytes, place);
  }

  #slow(bytes: Buffer, place: number): void {
    this.#number++;
    const long = this.#long;
    const line = long ? 'longer than 1 MB' : bytes.length === 0 ? undefined : parseLine(bytes);
    this.#long = undefined;
    if (typeof line !== 'object' || line.uuid === undefined) this.#others++;
    if (line === undefined) return;
    if (typeof line === 'string') {
      const hasNul = bytes.includes(0);
      if (!hasNul) this.foreign.look(this.#number, line, long ?? bytes);
      this.#visitor.bad?.(this.#number, line, long !== undefined || hasNul);
      return;
    }
    if (line.out !== undefined && line.out !== this.#out) {
      this.#out = line.out;
      this.#outText = Buffer.from(JSON.stringify(line.out));
    }
    this.#visitor.line(line, place, bytes.toString().trim());
  }
}
