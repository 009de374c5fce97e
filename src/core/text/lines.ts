import { decodeUtf8, encodeUtf8 } from './encoding.ts';

/** Rejected input, with its place. */
export interface BadInput {
  /** A path, or `stdin`. */
  readonly source: string;
  /** The line where it begins, from 1. */
  readonly line: number;
  readonly code: 'JSON' | 'OBJECT' | 'DEPTH' | 'UUID' | 'UTF8' | 'ENCODING' | 'LONG' | 'CSV' | 'REQUIRED';
  /** What is wrong with it. */
  readonly message: string;
  /** The input itself, its bytes that are no UTF-8 as lone surrogates (see `text.ts`); empty if it is over the cap. */
  readonly text: string;
}

/** Receives all rejected input. */
export type Reject = (bad: BadInput) => void;

/** The default of `--max-line`: 16 MiB. */
export const MAX_LINE: number = 16 * 1024 * 1024;

export interface LineOptions {
  /** What to call the input in messages. */
  readonly source: string;
  readonly reject: Reject;
  /** Aborted where the input is cut short on our side: the last line, if it has no end, is then not looked at. */
  readonly cut?: AbortSignal | undefined;
  /** The longest line, in bytes. Default `MAX_LINE`. A longer one is rejected, and takes no more memory than this. */
  readonly maxLine?: number | undefined;
}

/** Lines that were read together. */
export interface Lines {
  /** Without their ends. */
  readonly texts: readonly string[];
  /** The number of the first one, from 1. */
  readonly first: number;
  /** What is wrong with lines by their index here; such a line is empty in `texts`. Undefined: nothing. */
  readonly faults: ReadonlyMap<number, LineFault> | undefined;
}

/** Why a line can't be looked at, with what can be shown of it. */
export type LineFault = Pick<BadInput, 'code' | 'message' | 'text'>;

const NEWLINE = 10;

/**
 * Splits bytes into lines, one batch for what each chunk completes. Nothing waits to fill a batch. The last line
 * needs no newline. A leading byte order mark and the `\r` of `\r\n` are left out.
 */
export async function* readLines(chunks: AsyncIterable<Buffer>, options: LineOptions): AsyncGenerator<Lines> {
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
      if (last >= from) {
        const lines = split(kept.take(chunk.subarray(from, last)), first, maxLine);
        yield lines;
        first += lines.texts.length;
      }
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
  if (kept.length > 0 && !options.cut?.aborted) yield split(kept.take(), first, maxLine);
}

/** Gathers the pieces of a line. One buffer for all: millions of small ones would take many times their bytes. */
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

  /** All that was added, and at last this piece. Nothing is left. */
  take(piece: Buffer = Buffer.alloc(0)): Buffer {
    if (this.length === 0) return piece;
    this.add(piece);
    const bytes = this.#bytes.subarray(0, this.length);
    this.#bytes = Buffer.alloc(0);
    this.length = 0;
    return bytes;
  }
}

function split(bytes: Buffer, first: number, maxLine: number): Lines {
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

/** Why a line, as `decodeUtf8` made it, can't be looked at. @param maxLine in bytes */
export function lineFault(line: string, maxLine: number): LineFault | undefined {
  if (line.isWellFormed()) return isOver(line, maxLine) ? tooLong(maxLine) : undefined;
  // Its bytes, of which those that are no UTF-8 would count for three in its text.
  const isLong = isOver(line, maxLine) && encodeUtf8(line).length > maxLine;
  return isLong ? tooLong(maxLine) : { code: 'UTF8', message: 'not valid UTF-8', text: line };
}

function dropReturns(texts: string[]): void {
  for (const [i, line] of texts.entries()) if (line.endsWith('\r')) texts[i] = line.slice(0, -1);
}

/** Whether a text has more than so many bytes; counted only where it may have. */
export function isOver(text: string, bytes: number): boolean {
  return text.length * 3 > bytes && Buffer.byteLength(text) > bytes;
}

/** The fault of a line over the cap. */
export function tooLong(maxLine: number): LineFault {
  return { code: 'LONG', message: `the line is longer than ${maxLine} bytes (--max-line)`, text: '' };
}
