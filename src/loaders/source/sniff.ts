import { parseRecord } from '../../core/record/ndjson.ts';
import { CSV, CsvParser } from '../../core/text/csv.ts';
import { decodeStart } from '../../core/text/encoding.ts';
import type { Format } from '../contract.ts';

/** Number of bytes of a file that are checked for its format. */
const SNIFFED = 4096;

/**
 * Returns true if the first bytes of a file are enough to know its format: they have a whole line, a `[` or
 * RS.
 */
export function canSniff(first: Buffer): boolean {
  return first.length >= SNIFFED || /^\s*(?:[[\x1e]|\S.*[\r\n])/.test(decodeStart(first));
}

/** Returns the likely format of a file by its first bytes. CSV with a single column counts as plain lines. */
export function sniffFormat(bytes: Buffer): Format {
  if (bytes.toString('latin1', 0, 15) === 'SQLite format 3') return 'sqlite';
  const start = decodeStart(bytes.subarray(0, SNIFFED)).trimStart();
  const first = start.slice(0, start.search(/[\r\n]|$/));
  if (start.startsWith('<') && /<(?:[\w-]+:)?(?:urlset|sitemapindex)[\s>]/.test(start)) return 'sitemap';
  if (start.startsWith('{')) return isRecord(first) ? 'ndjson' : 'json';
  if (/^[[\x1e]/.test(start)) return 'json';
  if (/^"?sep=.{1,3}$/i.test(first)) return 'csv';
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(first)) return 'lines';
  if (first.includes('\t')) return 'tsv';
  return first.includes(',') ? 'csv' : 'lines';
}

/** Returns true if a line is a whole JSON object, as in NDJSON. */
export function isRecord(line: string): boolean {
  const record = parseRecord(line);
  return record !== undefined && !('code' in record);
}

/** Returns a likely delimiter, `;` or `|`, in the first line of a file that is read as plain lines. */
export function delimiterIn(bytes: Buffer): string | undefined {
  const start = decodeStart(bytes.subarray(0, SNIFFED)).trimStart();
  const first = start.slice(0, start.search(/[\r\n]|$/));
  return /^[^\s;|]+(?: [^\s;|]+)*([;|])[^\s;|]/.exec(first)?.[1];
}

/** Delimiters of a table, and the format of each; `;` and `|` are those of CSV with `--delimiter`. */
const DELIMITERS: readonly (readonly [delimiter: string, format: Format])[] = [
  ['\t', 'tsv'],
  [',', 'csv'],
  [';', 'csv'],
  ['|', 'csv'],
];
/** Number of rows that are compared. */
const COMPARED = 10;

/** Format that the first bytes of a file prove, regardless of its name. */
export interface LikelyFormat {
  readonly format: Format;
  /** Delimiter, if it is not that of the format. */
  readonly delimiter: string | undefined;
}

/**
 * Returns the format that the first bytes of a file prove: JSON records, or rows with the same number of cells and
 * without spaces after the delimiter (prose has spaces).
 */
export function likelyFormat(bytes: Buffer): LikelyFormat | undefined {
  const start = decodeStart(bytes.subarray(0, SNIFFED)).trimStart();
  if (/^\[\s*\{\s*"|^\{\s*"/.test(start)) {
    const isLine = isRecord(start.slice(0, start.search(/[\r\n]|$/)));
    return { format: isLine ? 'ndjson' : 'json', delimiter: undefined };
  }
  if (sniffFormat(bytes) === 'lines' && delimiterIn(bytes) === undefined) return undefined;
  for (const [delimiter, format] of DELIMITERS) {
    if (!isTable(start, delimiter)) continue;
    return { format, delimiter: /[;|]/.test(delimiter) ? delimiter : undefined };
  }
  return undefined;
}

function isTable(text: string, delimiter: string): boolean {
  const parser = new CsvParser({ ...CSV, delimiter, maxRow: SNIFFED });
  const rows = parser.push(text).filter((row) => row.cells.length > 0 || row.fault !== undefined);
  const width = rows[0]?.cells.length ?? 0;
  if (rows.length < 2 || width < 2) return false;
  const some = rows.slice(0, COMPARED);
  return some.every(({ cells, fault }) => {
    const isPlain = fault === undefined && cells.length === width;
    return isPlain && !cells.slice(1).some((cell) => cell.startsWith(' '));
  });
}
