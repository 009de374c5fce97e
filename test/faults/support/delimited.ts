/** Row of delimited text, as an independent reader sees it. */
export interface SeenRow {
  readonly cells: readonly string[];
  /** Number of the line where it begins, from 1. */
  readonly line: number;
  /** Error of the row: a quote that is never closed, or text after a closing quote. */
  readonly fault: 'open' | 'quote' | undefined;
  /** True if the row has its line end. */
  readonly isEnded: boolean;
}

/**
 * Reads CSV by RFC 4180, character by character. A quote inside an unquoted cell is kept, a line ends with `\n` or
 * `\r\n`, and a blank line is not a row.
 */
export function readRows(text: string, delimiter: string): SeenRow[] {
  if (delimiter === '\t') return readTsv(text);
  const rows: SeenRow[] = [];
  let cells: string[] = [];
  let cell = '';
  let place: 'start' | 'plain' | 'quoted' | 'closed' = 'start';
  let fault: SeenRow['fault'];
  let line = 1;
  let begins = 1;
  const endCell = (isLast: boolean): void => {
    if (isLast && place === 'plain' && cell.endsWith('\r')) cell = cell.slice(0, -1);
    cells.push(cell);
    cell = '';
    place = 'start';
  };
  const endRow = (isEnded: boolean): void => {
    const isOpen = place === 'quoted';
    const isQuoted = place === 'closed';
    endCell(true);
    const isBlank = cells.length === 1 && cells[0] === '' && fault === undefined && !isQuoted && !isOpen;
    if (!isBlank) rows.push({ cells, line: begins, fault: isOpen ? 'open' : fault, isEnded });
    cells = [];
    fault = undefined;
    begins = line;
  };
  for (let i = 0; i < text.length; i++) {
    const character = text[i] as string;
    if (character === '\n') line++;
    if (place === 'quoted') {
      if (character !== '"') cell += character;
      else if (text[i + 1] === '"') cell += text[i++];
      else place = 'closed';
    } else if (character === '\n') endRow(true);
    else if (character === delimiter) endCell(false);
    else if (place === 'start' && character === '"') place = 'quoted';
    else if (place === 'closed') {
      const isLineEnd = character === '\r' && (i + 1 === text.length || text[i + 1] === '\n');
      if (!isLineEnd) fault = 'quote';
    } else {
      place = 'plain';
      cell += character;
    }
  }
  const isAfterEnd = place === 'start' && cells.length === 0;
  if (!isAfterEnd) endRow(false);
  return rows;
}

const UNESCAPED: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', '\\': '\\' };

/** Reads TSV: one row per line, with backslashes as escapes of tabs, line ends and backslashes. */
function readTsv(text: string): SeenRow[] {
  const lines = text.split('\n');
  const hasEnd = lines.at(-1) === '';
  return lines.flatMap((whole, i) => {
    const isLast = i === lines.length - 1;
    if (isLast && hasEnd) return [];
    const line = isLast ? whole : whole.replace(/\r$/, '');
    if (line === '') return [];
    const cells = line.split('\t').map((cell) => (cell === '\\N' ? '' : unescaped(cell)));
    return [{ cells, line: i + 1, fault: undefined, isEnded: !isLast }];
  });
}

function unescaped(cell: string): string {
  let value = '';
  for (let i = 0; i < cell.length; i++) {
    const next = cell[i] === '\\' ? UNESCAPED[cell[i + 1] ?? ''] : undefined;
    value += next ?? cell[i];
    if (next !== undefined) i++;
  }
  return value;
}

/** Returns a cell with the escapes of TSV. */
export function escapedCell(cell: string): string {
  return cell.replace(/[\\\t\n\r]/g, (one) => ({ '\t': '\\t', '\n': '\\n', '\r': '\\r' })[one] ?? '\\\\');
}
