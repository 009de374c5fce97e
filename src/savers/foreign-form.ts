import { quote } from 'shlex';
import { TaskpipeError } from '../core/base/errors.ts';
import { encodingByMark, encodingByNuls } from '../core/text/encoding.ts';
import type { FoundRow } from './contract.ts';

/*
 * Forms of a file to which no row can be added: packed, in another encoding, or JSON that is not one record per line.
 */

/** Packed files by their first bytes, and the program that writes their contents to stdout. */
const PACKED: readonly (readonly [magic: string, name: string, tool: string])[] = [
  ['1f8b', 'a gzip file', 'gzip -dc'],
  ['28b52ffd', 'a zstd file', 'zstd -dc'],
  ['fd377a585a00', 'an xz file', 'xz -dc'],
  ['425a68', 'a bzip2 file', 'bzip2 -dc'],
];
const ZIP = '504b0304';

/**
 * Refuses a file that is packed or not in UTF-8, by its first bytes: rows could neither be read nor added.
 * @throws {TaskpipeError} `DATA`, with the command that converts the file
 */
export function assertUtf8(path: string, first: Buffer): void {
  const why = packedWords(path, first.toString('hex', 0, 8)) ?? encodingWords(path, first);
  if (why !== undefined)
    throw new TaskpipeError('DATA', `${path}:1: ${why}, then run the same command again`);
}

function packedWords(path: string, first: string): string | undefined {
  if (first.startsWith(ZIP))
    return 'the file is a zip archive or a workbook: save its table as text in UTF-8';
  const [, name, tool] = PACKED.find(([magic]) => first.startsWith(magic)) ?? [];
  return tool && `the file is ${name}: unpack it with: ${replacing(path, tool)}`;
}

function encodingWords(path: string, first: Buffer): string | undefined {
  const encoding = (encodingByMark(first) ?? encodingByNuls(first))?.toUpperCase();
  if (encoding === undefined) return undefined;
  const convert = replacing(path, `iconv -f ${encoding} -t UTF-8`);
  return `the file looks like ${encoding.slice(0, 6)}: save it as UTF-8, or convert it with: ${convert}`;
}

/** Maximum number of places to try as the end of the first of several records in one line. */
const MOST_TRIED = 20;

/**
 * Determines the form of an output that holds JSON, but not one record per line: a crash cannot cause such a row.
 * @param text a line that is not a record
 * @param isWhole whether it has a line end
 * @returns the fault of the row, and how to convert the file; undefined if the line is not JSON of another form
 */
export function jsonForm(
  text: string,
  isWhole: boolean,
  path: string,
): Pick<FoundRow, 'fault' | 'remedy'> | undefined {
  const line = text.replace(/^\ufeff/, '').trim();
  if (line.startsWith('[')) return told('the file is a JSON array, not a record a line', "jq -c '.[]'", path);
  if (line === '{' && isWhole) return told('the record takes several lines', 'jq -c .', path);
  const [end, next] = endOfFirst(line) ?? [];
  if (end === undefined) return undefined;
  const fault = 'several records are in one line';
  if (next === '{') return told(fault, 'jq -c .', path);
  return { fault: `${fault}, with commas between them`, remedy: 'Put each record on its own line' };
}

function told(fault: string, tool: string, path: string): Pick<FoundRow, 'fault' | 'remedy'> {
  return { fault, remedy: `Convert it with: ${replacing(path, tool)}` };
}

/** Returns the end of the first of several records in a line, and the next character that is not a space. */
function endOfFirst(line: string): readonly [end: number, next: string] | undefined {
  if (!line.startsWith('{')) return undefined;
  let tried = 0;
  for (const { index, 1: next = '' } of line.matchAll(/\}\s*([{,])/g)) {
    if (tried++ === MOST_TRIED) return undefined;
    try {
      JSON.parse(line.slice(0, index + 1));
      return [index + 1, next];
    } catch {} // a brace inside the record
  }
  return undefined;
}

/**
 * Returns the shell command that converts a file in its place.
 * @param tool command that writes the converted text of the file, which follows it, to stdout
 */
export function replacing(path: string, tool: string): string {
  const converted = quote(`${path}.converted`);
  return `${tool} ${quote(path)} > ${converted} && mv ${converted} ${quote(path)}`;
}
