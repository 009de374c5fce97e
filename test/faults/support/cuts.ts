import { escapedCell, readRows, type SeenRow } from './delimited.ts';

/** What must come of input that is cut: so many of the records of the whole one, then perhaps one more. */
export interface Expected {
  /** How many records stand wholly before the cut. */
  readonly whole: number;
  /** The record that the cut goes through, where there is one: a task by the rules of its format, or rejected. */
  readonly last: Last | undefined;
  /** Whether there is no telling records apart, as the header is cut: nothing comes out. */
  readonly isHeader?: boolean;
}

export interface Last {
  readonly line: number;
  /** Its attributes, where it is a task; the last of them may be cut short, which nobody can know. */
  readonly values: readonly string[] | undefined;
}

/** Input of more than 2,000 bytes, and what its first bytes hold. */
export interface Sample {
  readonly format: 'csv' | 'tsv' | 'ndjson';
  readonly bytes: Buffer;
  readonly expect: (cut: Buffer) => Expected;
}

/** What came of cut input: the records that came out, and the places that were named. */
export interface Seen {
  readonly lines: readonly string[];
  readonly bad: readonly { readonly source: string; readonly line: number }[];
  /** What ended the stage, where that was no good end. */
  readonly error?: string | undefined;
  /** Whether that was to say that the data as a whole is unusable. */
  readonly isUnusable?: boolean;
}

/** A way to give bytes to a stage. */
export type Stage = (bytes: Buffer, cut: number) => Promise<Seen>;

const NAMES = ['id', 'name', 'note', 'url'];
/** Everything that makes cutting dangerous; a row of each sample has one of each column. */
const CELLS = [
  ['1', 'Zoë "Z" Müller', 'two\nlines, and a ""', 'https://example.com/a?b=1&c=%20'],
  ['007', '李小龍', '', 'http://h/é'],
  ['1e999', 'a\tb', 'a quote " inside', '🙂'],
  ['', '👩‍👩‍👧', '"', '\\u0041\\'],
  ['12345678901234567890', 'x'.repeat(60), 'ends\r\nin\r\nlines\n', '{"a":[1,2.50]}'],
];
/** So many make more than 2,000 bytes. */
const ROWS = 36;
const OBJECTS = 19;

/** The bytes up to here as text, and whether they end inside of a character. */
function decoded(bytes: Buffer): { text: string; isTorn: boolean } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), isTorn: false };
  } catch {
    return { text: new TextDecoder().decode(bytes), isTorn: true };
  }
}

function quotedCell(cell: string): string {
  return `"${cell.replaceAll('"', '""')}"`;
}

function delimitedSample(format: 'csv' | 'tsv', delimiter: string): Sample {
  const lines = [NAMES.join(delimiter)];
  for (let i = 0; i < ROWS; i++) {
    const cells = [...(CELLS[i % CELLS.length] as string[])];
    cells[0] += `-${i}`;
    const isPlain = (cell: string): boolean => !/["\r\n,\t]/.test(cell) && i % 3 > 0;
    lines.push(
      cells
        .map((cell) => (format === 'tsv' ? escapedCell(cell) : isPlain(cell) ? cell : quotedCell(cell)))
        .join(delimiter),
    );
    if (i % 7 === 0) lines.push('');
  }
  const text = `\ufeff${lines.map((line, i) => line + (i % 4 === 0 ? '\r\n' : '\n')).join('')}`;
  return {
    format,
    bytes: Buffer.from(text),
    expect(cut) {
      const { text, isTorn } = decoded(cut);
      const [header, ...rows] = readRows(text, delimiter);
      if (header?.isEnded !== true) return { whole: 0, last: undefined, isHeader: true };
      const last: SeenRow | undefined = rows.at(-1)?.isEnded === false ? rows.pop() : undefined;
      if (last === undefined) return { whole: rows.length, last };
      const isTask = !isTorn && last.fault === undefined && last.cells.length === NAMES.length;
      return { whole: rows.length, last: { line: last.line, values: isTask ? last.cells : undefined } };
    },
  };
}

/** NDJSON of records, and what is found in any text of this kind that is cut. */
export function ndjsonSample(lines: readonly string[]): Sample {
  const text = lines.map((line, i) => `${i % 7 === 3 ? ' \n' : ''}${line}${i % 4 === 0 ? '\r\n' : '\n'}`);
  return {
    format: 'ndjson',
    bytes: Buffer.from(`\ufeff${text.join('')}`),
    expect(cut) {
      const { text, isTorn } = decoded(cut);
      const lines = text.split('\n');
      const tail = lines.pop() as string;
      const whole = lines.filter((line) => line.trim() !== '').length;
      if (tail.trim() === '') return { whole, last: undefined };
      const values = isTorn ? undefined : valuesOf(tail);
      return { whole, last: { line: lines.length + 1, values } };
    },
  };
}

/** The values of a JSON object's text; undefined where it is none. */
export function valuesOf(text: string): readonly string[] | undefined {
  try {
    const { uuid: _, run: __, result: ___, ...fields } = JSON.parse(text);
    return Object.values(fields).map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
  } catch {
    return undefined;
  }
}

/** The records of an output, as text: of CSV and TSV without their header. */
export function recordsOf(text: string, format: Sample['format']): string[] {
  if (format === 'ndjson') return text.split('\n').filter((line) => line !== '');
  const [, ...rows] = readRows(text, format === 'tsv' ? '\t' : ',');
  return rows.map(({ cells }) => JSON.stringify(cells));
}

/** A record without what tells the time. */
export function withoutRun(line: string): string {
  return line.replace(/,"run":\{"state":"(\w+)".*\}$/, ',$1}');
}

function jsonLines(): string[] {
  return Array.from({ length: OBJECTS }, (_, i) => {
    const [id, name, note, url] = CELLS[i % CELLS.length] as [string, string, string, string];
    const escaped = JSON.stringify(name).replace(
      /[^ -~]/g,
      (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    return `{"id":${JSON.stringify(`${id}-${i}`)}, "name":${i % 2 ? escaped : JSON.stringify(name)},"note":${JSON.stringify(note)},"url":${JSON.stringify(url)},"n":{"a":[1.10,{}]}}`;
  });
}

export const SAMPLES: readonly Sample[] = [
  delimitedSample('csv', ','),
  delimitedSample('tsv', '\t'),
  ndjsonSample(jsonLines()),
];
