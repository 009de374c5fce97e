import { decodeUtf8 } from './text.ts';

/** Input that is no task, with its place. */
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

/** Is told of all input that is no task. */
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
  let kept: Buffer[] = [];
  let keptBytes = 0;
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
        const whole = chunk.subarray(from, last);
        const lines = split(keptBytes === 0 ? whole : Buffer.concat([...kept, whole]), first, maxLine);
        yield lines;
        first += lines.texts.length;
      }
      kept = [];
      keptBytes = 0;
    }
    const tail = chunk.subarray(last + 1);
    if (skipping || tail.length === 0) continue;
    // A copy, or one short tail would keep a whole chunk alive.
    kept.push(Buffer.from(tail));
    keptBytes += tail.length;
    if (keptBytes > maxLine) {
      options.reject({ source: options.source, line: first, ...tooLong(maxLine) });
      kept = [];
      keptBytes = 0;
      skipping = true;
    }
  }
  if (keptBytes > 0 && !options.cut?.aborted) yield split(Buffer.concat(kept), first, maxLine);
}

function split(bytes: Buffer, first: number, maxLine: number): Lines {
  let text = decodeUtf8(bytes);
  if (first === 1 && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
  const texts = text.split('\n');
  if (text.includes('\r')) dropReturns(texts);
  const isWhole = text.isWellFormed();
  if (isWhole && bytes.length <= maxLine) return { texts, first, faults: undefined };
  const faults = new Map<number, LineFault>();
  texts.forEach((line, i) => {
    if (isOver(line, maxLine)) faults.set(i, tooLong(maxLine));
    else if (!isWhole && !line.isWellFormed())
      faults.set(i, { code: 'UTF8', message: 'not valid UTF-8', text: line });
    if (faults.has(i)) texts[i] = '';
  });
  return { texts, first, faults };
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
