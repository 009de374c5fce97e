/** Text of one value at the top of a file, or in its array. */
export interface Element {
  readonly text: string;
  /** Place where it begins, from 1. */
  readonly line: number;
  readonly column: number;
  /** Reason it cannot be parsed. Its text is empty if it was too long. */
  readonly fault?: string;
}

const QUOTE = 34;
const BACKSLASH = 92;
const NEWLINE = 10;
const COMMA = 44;
const OPEN_ARRAY = 91;
const CLOSE_ARRAY = 93;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;
/** Record separator, of RFC 7464. */
const SEPARATOR = 0x1e;

/** Returns true for the white space characters of JSON. */
function isSpace(code: number): boolean {
  return code === 32 || code === NEWLINE || code === 13 || code === 9;
}

/**
 * Splitter of text into JSON values by brackets and quotes alone; each value is parsed later. The values are the
 * elements of an array, or values that follow one another: on several lines, side by side, or with separators (RFC
 * 7464).
 */
export class JsonSplitter {
  readonly #maxElement: number;
  /** Position of the reader: `between` values that follow one another, or `before`, `in` or `after` the array. */
  #place: 'between' | 'before' | 'in' | 'after';
  #depth = 0;
  #quoted = false;
  #escaped = false;
  #line = 1;
  /** Number of characters before the current line, and before the current piece of text. */
  #lineStart = 0;
  #passed = 0;
  /** Text of the open value, and the place where it began. The line is 0 while no value is open. */
  #kept = '';
  #keptLine = 0;
  #keptColumn = 0;
  #tooLong = false;
  #saidAfter = false;
  /** True if the last token of the array was a comma. */
  #isAfterComma = false;

  constructor(maxElement: number, kind: 'array' | 'values') {
    this.#maxElement = maxElement;
    this.#place = kind === 'array' ? 'before' : 'between';
  }

  push(text: string): Element[] {
    const elements: Element[] = [];
    let from = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code === NEWLINE) {
        this.#line++;
        this.#lineStart = this.#passed + i + 1;
      }
      if (code === SEPARATOR && this.#place === 'between') {
        this.#close(text.slice(from, i), elements);
        from = i + 1;
      } else if (this.#quoted) this.#insideString(code);
      else if (isSpace(code) && !(this.#keptLine > 0 && this.#depth === 0 && this.#place === 'between'))
        continue;
      else if (this.#place === 'before' || this.#place === 'after') {
        this.#outside(code, i, elements);
        from = i + 1;
      } else from = this.#next(code, i, from, text, elements);
    }
    this.#passed += text.length;
    if (this.#keptLine > 0) this.#keep(text.slice(from));
    return elements;
  }

  /**
   * Reads one character. Returns the start of the text that is not used yet.
   * @param code code of the character; white space is passed only if it ends a value
   */
  #next(code: number, at: number, from: number, text: string, elements: Element[]): number {
    let begin = from;
    const isArray = this.#place === 'in';
    // In a sequence of values, a value ends before white space, and before a bracket that opens the next value.
    const isOpening = code === OPEN_OBJECT || code === OPEN_ARRAY;
    if (!isArray && this.#depth === 0 && this.#keptLine > 0 && (isOpening || isSpace(code))) {
      this.#close(text.slice(begin, at), elements);
      if (isSpace(code)) return at + 1;
    }
    if (this.#keptLine === 0) {
      this.#keptLine = this.#line;
      this.#keptColumn = this.#columnOf(at);
      begin = at;
    }
    if (code === QUOTE) {
      this.#quoted = true;
    } else if (isOpening) this.#depth++;
    else if (this.#depth > 0) {
      if (code !== CLOSE_OBJECT && code !== CLOSE_ARRAY) return begin;
      this.#depth--;
      if (this.#depth > 0 || isArray) return begin;
      this.#close(text.slice(begin, at + 1), elements);
      return at + 1;
    } else if (isArray && (code === COMMA || code === CLOSE_ARRAY)) {
      this.#endElement(text.slice(begin, at), code, at, elements);
      return at + 1;
    }
    return begin;
  }

  /** Ends an element of the array, at a comma or at the closing bracket. */
  #endElement(text: string, code: number, at: number, elements: Element[]): void {
    this.#keep(text);
    const isLast = code === CLOSE_ARRAY;
    if (this.#kept !== '' || this.#tooLong) this.#close('', elements);
    else {
      this.#keptLine = 0;
      if (!isLast || this.#isAfterComma)
        elements.push({
          text: String.fromCharCode(code),
          line: this.#line,
          column: this.#columnOf(at),
          fault: isLast
            ? 'a comma stands before the "]" that closes the array'
            : 'a value is missing before a comma',
        });
    }
    this.#isAfterComma = !isLast;
    if (isLast) this.#place = 'after';
  }

  end(): Element[] {
    const elements: Element[] = [];
    if (this.#place === 'between') this.#close('', elements);
    if (this.#place !== 'in') return elements; // an empty file has no task, like an empty array
    if (this.#tooLong) {
      this.#close('', elements);
      return elements;
    }
    const place = { line: this.#keptLine || this.#line, column: this.#keptColumn || this.#columnOf(0) };
    elements.push({
      ...place,
      text: this.#kept || '[',
      fault: 'the array is cut short: its "]" is missing',
    });
    return elements;
  }

  #columnOf(at: number): number {
    return this.#passed + at - this.#lineStart + 1;
  }

  #insideString(code: number): void {
    if (this.#escaped) this.#escaped = false;
    else if (code === BACKSLASH) this.#escaped = true;
    else if (code === QUOTE) this.#quoted = false;
  }

  #outside(code: number, at: number, elements: Element[]): void {
    if (this.#place === 'before' && code === OPEN_ARRAY) {
      this.#place = 'in';
      return;
    }
    if (this.#saidAfter) return;
    this.#saidAfter = true;
    const isArray = this.#place === 'after' && code === OPEN_ARRAY;
    const fault =
      this.#place === 'before'
        ? 'expected "[" or "{"'
        : `text follows the end of the array${isArray ? "; of several arrays, make records first: jq -c '.[]' FILE | task-load --format ndjson" : ''}`;
    elements.push({ text: String.fromCharCode(code), line: this.#line, column: this.#columnOf(at), fault });
    this.#place = 'after';
  }

  #keep(text: string): void {
    if (!this.#tooLong) this.#kept += text;
    if (this.#kept.length <= this.#maxElement) return;
    this.#tooLong = true;
    this.#kept = '';
  }

  /** Ends the open value, if there is one. */
  #close(text: string, elements: Element[]): void {
    if (this.#keptLine === 0) return;
    this.#keep(text);
    const place = { line: this.#keptLine, column: this.#keptColumn };
    const fault = `the record is longer than ${this.#maxElement} bytes (--max-line)`;
    elements.push(this.#tooLong ? { ...place, text: '', fault } : { ...place, text: this.#kept });
    this.#kept = '';
    this.#keptLine = 0;
    this.#tooLong = false;
    this.#depth = 0;
    this.#quoted = false;
    this.#escaped = false;
  }
}
