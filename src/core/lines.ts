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
  /** The longest line, in bytes. Default `MAX_LINE`. A longer one is rejected, and takes no more memory than this. */
  readonly maxLine?: number | undefined;
}

/** Lines that were read together. */
export interface Lines {
  /** Without their ends. A line that was rejected already is empty here. */
  readonly texts: readonly string[];
  /** The number of the first one, from 1. */
  readonly first: number;
}

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
        const lines = split(
          keptBytes === 0 ? whole : Buffer.concat([...kept, whole]),
          first,
          maxLine,
          options,
        );
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
      rejectLong(first, maxLine, options);
      kept = [];
      keptBytes = 0;
      skipping = true;
    }
  }
  if (keptBytes > 0) yield split(Buffer.concat(kept), first, maxLine, options);
}

function split(bytes: Buffer, first: number, maxLine: number, options: LineOptions): Lines {
  let text = decodeUtf8(bytes);
  if (first === 1 && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
  const texts = text.split('\n');
  const hasReturns = text.includes('\r');
  const isWhole = text.isWellFormed();
  const mayBeLong = bytes.length > maxLine;
  if (hasReturns || !isWhole || mayBeLong) {
    for (let i = 0; i < texts.length; i++) {
      const line = texts[i] as string;
      if (line.endsWith('\r')) texts[i] = line.slice(0, -1);
      if (mayBeLong && line.length * 3 > maxLine && Buffer.byteLength(line) > maxLine) {
        rejectLong(first + i, maxLine, options);
        texts[i] = '';
      } else if (!isWhole && !line.isWellFormed()) {
        options.reject({
          source: options.source,
          line: first + i,
          code: 'UTF8',
          message: 'not valid UTF-8',
          text: line,
        });
        texts[i] = '';
      }
    }
  }
  return { texts, first };
}

function rejectLong(line: number, maxLine: number, options: LineOptions): void {
  options.reject({
    source: options.source,
    line,
    code: 'LONG',
    message: `the line is longer than ${maxLine} bytes (--max-line)`,
    text: '',
  });
}
