import type { BadInput } from '../core/lines.ts';
import { minify } from '../core/members.ts';
import { parseRecord } from '../core/ndjson.ts';
import { decodeText } from '../core/text.ts';
import type { Loader, ReadOptions } from './loader.ts';
import { isDecoded } from './ndjson.ts';
import { JsonLoaded } from './objects.ts';

/** A JSON array of objects, however it is laid out. It is read as it comes: memory holds one element. */
export const json: Loader = async function* (bytes, options) {
  const elements = new ElementSplitter(options.maxLine);
  for await (const text of decodeText(bytes, options.encoding)) yield toRecords(elements.push(text), options);
  yield toRecords(elements.end(), options);
};

function toRecords(elements: readonly Element[], options: ReadOptions): JsonLoaded[] {
  const records: JsonLoaded[] = [];
  for (const { text, line, fault } of elements) {
    const bad = (code: BadInput['code'], message: string): void =>
      options.reject({ source: options.source, line, code, message, text });
    if (fault !== undefined) {
      bad(text === '' ? 'LONG' : 'JSON', fault);
      continue;
    }
    if (!text.isWellFormed()) {
      bad('UTF8', 'not valid UTF-8 (--encoding?)');
      continue;
    }
    const parsed = parseRecord(text);
    if (parsed === undefined) bad('JSON', 'an element is missing between two commas');
    else if ('code' in parsed) bad(parsed.code, parsed.message);
    else {
      const record = { text: minify(parsed.text), fields: parsed.fields, line };
      if (isDecoded(record, options)) records.push(new JsonLoaded(record, options));
    }
  }
  return records;
}

/** The text of one element of the array. */
interface Element {
  readonly text: string;
  readonly line: number;
  readonly fault?: string;
}

const QUOTE = 34;
const BACKSLASH = 92;
const NEWLINE = 10;

/** Cuts the text of an array into its elements, by brackets and quotes alone; each element is then parsed by itself. */
class ElementSplitter {
  readonly #maxElement: number;
  /** `before` the array, `in` it, or `after` it. */
  #place: 'before' | 'in' | 'after' = 'before';
  #depth = 0;
  #quoted = false;
  #escaped = false;
  #line = 1;
  /** The element that is open, and where it began; its line is 0 while only white space has come. */
  #kept = '';
  #keptLine = 0;
  #tooLong = false;
  #saidAfter = false;

  constructor(maxElement: number) {
    this.#maxElement = maxElement;
  }

  push(text: string): Element[] {
    const elements: Element[] = [];
    let from = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code === NEWLINE) this.#line++;
      if (this.#quoted) {
        this.#insideString(code);
        continue;
      }
      if (code <= 32) continue;
      if (this.#place !== 'in') {
        this.#outside(code, elements);
        from = i + 1;
        continue;
      }
      if (this.#keptLine === 0) {
        this.#keptLine = this.#line;
        from = i; // white space before an element is none of it
      }
      if (code === QUOTE) this.#quoted = true;
      else if (code === 123 || code === 91) this.#depth++;
      else if (this.#depth > 0) {
        if (code === 125 || code === 93) this.#depth--;
      } else if (code === 44 || code === 93) {
        this.#close(text.slice(from, i), code === 93, elements);
        from = i + 1;
      }
    }
    if (this.#place === 'in' && this.#keptLine > 0) this.#keep(text.slice(from));
    return elements;
  }

  end(): Element[] {
    if (this.#place !== 'in') return []; // an empty file holds no task, as an empty array does
    const text = this.#kept.trim() || '[';
    if (this.#tooLong) return [{ text: '', line: this.#keptLine, fault: this.#longFault() }];
    return [
      { text, line: this.#keptLine || this.#line, fault: 'the array is cut short: its "]" is missing' },
    ];
  }

  #insideString(code: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (code === BACKSLASH) this.#escaped = true;
    else if (code === QUOTE) this.#quoted = false;
  }

  #outside(code: number, elements: Element[]): void {
    if (this.#place === 'before' && code === 91) this.#place = 'in';
    else if (!this.#saidAfter) {
      this.#saidAfter = true;
      const where =
        this.#place === 'before'
          ? 'a JSON array begins with "["; objects, one a line, are --format ndjson'
          : 'text follows the end of the array';
      elements.push({ text: String.fromCharCode(code), line: this.#line, fault: where });
      this.#place = 'after';
    }
  }

  #keep(text: string): void {
    if (!this.#tooLong) this.#kept += text;
    if (this.#kept.length > this.#maxElement) {
      this.#tooLong = true;
      this.#kept = '';
    }
  }

  #longFault(): string {
    return `the element is longer than ${this.#maxElement} bytes (--max-line)`;
  }

  #close(text: string, isLast: boolean, elements: Element[]): void {
    this.#keep(text);
    const line = this.#keptLine;
    const trimmed = this.#kept.trim();
    if (this.#tooLong) elements.push({ text: '', line, fault: this.#longFault() });
    else if (trimmed !== '' || !isLast) elements.push({ text: trimmed, line });
    this.#kept = '';
    this.#keptLine = 0;
    this.#tooLong = false;
    if (isLast) this.#place = 'after';
  }
}
