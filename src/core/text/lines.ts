import { decodeUtf8, encodeUtf8 } from './encoding.ts';

/** Rejected input, with its place. */
export interface BadInput {
  /** Path, or `stdin`. */
  readonly source: string;
  /** Number of the line where it begins, from 1. */
  readonly line: number;
  readonly code:
    | 'JSON'
    | 'OBJECT'
    | 'DEPTH'
    | 'UUID'
    | 'UTF8'
    | 'ENCODING'
    | 'LONG'
    | 'CSV'
    | 'XML'
    | 'REQUIRED';
  /** Reason it was rejected. */
  readonly message: string;
  /**
   * Input itself, with invalid UTF-8 bytes as lone surrogates (see `encoding.ts`); empty if it was too long.
   */
  readonly text: string;
}

/** Function that receives all rejected input. */
export type Reject = (bad: BadInput) => void;

/** Default of `--max-line`: 16 MiB. */
export const MAX_LINE: number = 16 * 1024 * 1024;

export interface LineOptions {
  /** Name of the input in messages. */
  readonly source: string;
  readonly reject: Reject;
  /** Aborted if we cut the input short: a last line without a newline is then ignored. */
  readonly truncated?: AbortSignal | undefined;
  /**
   * Maximum length of a line, in bytes. Default `MAX_LINE`. A longer line is rejected, and takes no more
   * memory than this.
   */
  readonly maxLine?: number | undefined;
}

/** Lines that were read together. */
export interface Lines {
  /** Texts of the lines, without line ends. */
  readonly texts: readonly string[];
  /** Number of the first line, from 1. */
  readonly first: number;
  /** Faults by the index of their lines, which are empty in `texts`. Undefined if there are none. */
  readonly faults: ReadonlyMap<number, LineFault> | undefined;
}

/** Reason a line cannot be read, with the part of its text that can be shown. */
export type LineFault = Pick<BadInput, 'code' | 'message' | 'text'>;

const NEWLINE = 10;

/**
 * Splits bytes into lines. Yields one batch of the lines that a chunk completes, without waiting to fill it.
 * The last line needs no newline. A leading byte order mark and the `\r` of `\r\n` are removed.
 */
export function readLines(chunks: AsyncIterable<Buffer>, options: LineOptions): AsyncGenerator<Lines> {
  const { maxLine = MAX_LINE } = options;
  return readBlocks(chunks, options, function* (bytes, first) {
    const lines = splitLines(bytes, first, maxLine);
    yield lines;
    return lines.texts.length;
  });
}

/**
 * Reads whole lines as bytes. Passes them on as `readLines` does.
 * @param read reads lines, the last of which has no newline, from line `first` on, and returns their number
 */
export async function* readBlocks<T>(
  chunks: AsyncIterable<Buffer>,
  options: LineOptions,
  read: (bytes: Buffer, first: number) => Generator<T, number>,
): AsyncGenerator<T> {
  const { maxLine = MAX_LINE } = options;
  const kept = new Gathering();
  let skipping = false;
  let first = 1;
  for await (const chunk of chunks) {
    const last = chunk.lastIndexOf(NEWLINE);
    if (last >= 0) {
      let from = 0;
      if (skipping) {
        from = chunk.indexOf(NEWLINE) + 1;
        skipping = false;
        first++;
      }
      if (last >= from) first += yield* read(kept.take(chunk.subarray(from, last)), first);
    }
    const tail = chunk.subarray(last + 1);
    if (skipping || tail.length === 0) continue;
    if (kept.length + tail.length <= maxLine) kept.add(tail);
    else {
      options.reject({ source: options.source, line: first, ...tooLong(maxLine) });
      kept.take();
      skipping = true;
    }
  }
  if (kept.length > 0 && !options.truncated?.aborted) yield* read(kept.take(), first);
}

/**
 * Buffer that gathers the pieces of a line. A list of millions of small buffers would take many times their
 * bytes.
 */
class Gathering {
  length = 0;
  #bytes: Buffer = Buffer.alloc(0);

  add(piece: Buffer): void {
    const length = this.length + piece.length;
    if (length > this.#bytes.length) {
      const bigger = Buffer.allocUnsafe(Math.max(length, this.length * 2));
      this.#bytes.copy(bigger, 0, 0, this.length);
      this.#bytes = bigger;
    }
    piece.copy(this.#bytes, this.length);
    this.length = length;
  }

  /** Returns all that was added, followed by this piece, and empties the buffer. */
  take(piece: Buffer = Buffer.alloc(0)): Buffer {
    if (this.length === 0) return piece;
    this.add(piece);
    const bytes = this.#bytes.subarray(0, this.length);
    this.#bytes = Buffer.alloc(0);
    this.length = 0;
    return bytes;
  }
}

/** Splits the bytes of whole lines, the last of which has no newline. @param first number of the first line */
export function splitLines(bytes: Buffer, first: number, maxLine: number = MAX_LINE): Lines {
  let text = decodeUtf8(bytes);
  if (first === 1 && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
  const texts = text.split('\n');
  const isWhole = text.isWellFormed();
  let faults: Map<number, LineFault> | undefined;
  if (!isWhole || bytes.length > maxLine) {
    faults = new Map();
    for (const [i, line] of texts.entries()) {
      const fault = lineFault(line, maxLine);
      if (fault === undefined) continue;
      faults.set(i, fault);
      texts[i] = '';
    }
  }
  if (text.includes('\r')) dropReturns(texts);
  return { texts, first, faults };
}

/**
 * Returns the fault of a line from `decodeUtf8`; undefined if it has none. @param maxLine maximum length in
 * bytes
 */
export function lineFault(line: string, maxLine: number): LineFault | undefined {
  if (line.isWellFormed()) return isOver(line, maxLine) ? tooLong(maxLine) : undefined;
  // The original bytes: each invalid one would count as three bytes in the text.
  const isLong = isOver(line, maxLine) && encodeUtf8(line).length > maxLine;
  return isLong ? tooLong(maxLine) : { code: 'UTF8', message: 'not valid UTF-8', text: line };
}

function dropReturns(texts: string[]): void {
  for (const [i, line] of texts.entries()) if (line.endsWith('\r')) texts[i] = line.slice(0, -1);
}

/**
 * Returns whether a text has more than `bytes` bytes in UTF-8. It counts them only if its length allows that
 * many.
 */
export function isOver(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
}

export function tooLong(maxLine: number): LineFault {
  return { code: 'LONG', message: `the line is longer than ${maxLine} bytes (--max-line)`, text: '' };
}
