import { escapedCell, readRows, type SeenRow } from './delimited.ts';

/** Expected result for cut input: the first records of the whole input, then perhaps one more. */
export interface Expected {
  /** Number of complete records before the cut. */
  readonly whole: number;
  /** Record that the cut goes through, if there is one: a task by the rules of its format, or a reject. */
  readonly last: Last | undefined;
  /** True if the header is cut, so that no record comes out. */
  readonly isHeader?: boolean;
}

export interface Last {
  readonly line: number;
  /**
   * Attributes of the task; undefined for a reject. The last one may be cut short, which no reader can
   * detect.
   */
  readonly values: readonly string[] | undefined;
}

/** Input of more than 2,000 bytes, with the records that its first bytes contain. */
export interface Sample {
  readonly format: 'csv' | 'tsv' | 'ndjson';
  readonly bytes: Buffer;
  readonly expect: (cut: Buffer) => Expected;
}

/** Result for cut input: the records that came out, and the positions that were reported. */
export interface Seen {
  readonly lines: readonly string[];
  readonly bad: readonly { readonly source: string; readonly line: number }[];
  /** Reason why the stage ended early. */
  readonly error?: string | undefined;
  /** True if that reason is unusable data. */
  readonly isUnusable?: boolean;
}

/** Function that passes bytes to a stage. */
export type Stage = (bytes: Buffer, cut: number) => Promise<Seen>;

const NAMES = ['id', 'name', 'note', 'url'];
/** Values that are dangerous to cut; each row of a sample has one of each column. */
const CELLS = [
  ['1', 'Zoë "Z" Müller', 'two\nlines, and a ""', 'https://example.com/a?b=1&c=%20'],
  ['007', '李小龍', '', 'http://h/é'],
  ['1e999', 'a\tb', 'a quote " inside', '🙂'],
  ['', '👩‍👩‍👧', '"', '\\u0041\\'],
  ['12345678901234567890', 'x'.repeat(60), 'ends\r\nin\r\nlines\n', '{"a":[1,2.50]}'],
];
/** Numbers of rows and objects that make more than 2,000 bytes. */
const ROWS = 36;
const OBJECTS = 19;

/** Returns the bytes before the cut as text, and whether they end inside a character. */
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

/** Returns a sample of NDJSON records. */
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

/** Returns the values of the text of a JSON object; undefined if it is not one. */
export function valuesOf(text: string): readonly string[] | undefined {
  try {
    const { uuid: _, run: __, result: ___, ...fields } = JSON.parse(text);
    return Object.values(fields).map((value) => (typeof value === 'string' ? value : JSON.stringify(value)));
  } catch {
    return undefined;
  }
}

/** Returns the records of an output as text. For CSV and TSV it skips the header. */
export function recordsOf(text: string, format: Sample['format']): string[] {
  if (format === 'ndjson') return text.split('\n').filter((line) => line !== '');
  const [, ...rows] = readRows(text, format === 'tsv' ? '\t' : ',');
  return rows.map(({ cells }) => JSON.stringify(cells));
}

/** Returns a record without the members that contain times. */
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
