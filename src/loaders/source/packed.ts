import { quote } from 'shlex';
import { TaskpipeError } from '../../core/base/errors.ts';
import { isS3 } from '../../core/s3/s3-address.ts';

/** A kind of file that has known first bytes and cannot be read directly. */
interface Kind {
  readonly magic: Buffer;
  /** Offset of the magic, in bytes. Default: 0. */
  readonly at?: number;
  readonly name: string;
  /** Returns the remedy for a file at this path, for example a command. */
  readonly remedy: (path: string) => string;
}

const hex = (digits: string): Buffer => Buffer.from(digits, 'hex');
const load = '| task-load --format csv';
const byTool =
  (tool: string) =>
  (path: string): string =>
    `unpack it, as in: ${tool} ${path} ${load}`;
const asCsv = (path: string): string =>
  `save it as CSV in a spreadsheet program, or: soffice --headless --convert-to csv ${path}`;
const asXlsx = (path: string): string =>
  `it is read from a file, not from a pipe: task-load --format xlsx ${path}`;
const asParquet = (path: string): string =>
  `it is read from a file, not from a pipe: task-load --format parquet ${path}`;

/** Kinds of files that are compressed, or not text. */
const KINDS: readonly Kind[] = [
  { magic: hex('fd377a585a00'), name: 'an xz file', remedy: byTool('xz -dc') },
  { magic: Buffer.from('BZh'), name: 'a bzip2 file', remedy: byTool('bzip2 -dc') },
  { magic: hex('28b52ffd'), name: 'a zstd file inside another', remedy: byTool('zstd -dc') },
  { magic: hex('04224d18'), name: 'an lz4 file', remedy: byTool('lz4 -dc') },
  { magic: hex('4c5a4950'), name: 'an lzip file', remedy: byTool('lzip -dc') },
  { magic: hex('1f9d'), name: 'a file of compress', remedy: byTool('gzip -dc') },
  { magic: hex('1f8b'), name: 'a gzip file inside another', remedy: byTool('gzip -dc') },
  { magic: hex('504b0304'), name: 'a zip archive', remedy: byTool('unzip -p') },
  { magic: hex('504b0506'), name: 'an empty zip archive', remedy: () => 'there is nothing in it' },
  { magic: hex('377abcaf271c'), name: 'a 7-Zip archive', remedy: byTool('7z e -so') },
  { magic: Buffer.from('Rar!\x1a\x07', 'latin1'), name: 'a RAR archive', remedy: byTool('unrar p -inul') },
  { magic: Buffer.from('ustar'), at: 257, name: 'a tar archive', remedy: byTool('tar -xOf') },
  { magic: hex('d0cf11e0a1b11ae1'), name: 'an old Excel or Office file', remedy: asCsv },
  { magic: Buffer.from('%PDF-'), name: 'a PDF', remedy: () => 'save its table as CSV first' },
  { magic: Buffer.from('PAR1'), name: 'a Parquet file', remedy: asParquet },
  {
    magic: Buffer.from('Obj\x01', 'latin1'),
    name: 'an Avro file',
    remedy: () => 'convert it to CSV or JSON first',
  },
  { magic: Buffer.from('ARROW1'), name: 'an Arrow file', remedy: () => 'convert it to CSV or JSON first' },
  { magic: Buffer.from('{\\rtf'), name: 'an RTF document', remedy: () => 'save it as plain text' },
];

/** First entries in the zip archive of a workbook. */
const WORKBOOK = /^(?:\[Content_Types\]\.xml|_rels\/|docProps\/|xl\/|mimetypeapplication\/vnd\.oasis)/;

/**
 * Returns true if the first bytes of a file are enough to know its kind: they are not the start of a longer
 * magic.
 */
export function isTelling(first: Buffer): boolean {
  if (first.length === 0) return false;
  return !KINDS.some(
    ({ magic, at }) =>
      at === undefined && first.length < magic.length && magic.subarray(0, first.length).equals(first),
  );
}

/**
 * Refuses a file that is compressed, or not text.
 * @param path path as it was typed; `-` is the standard input
 * @throws {TaskpipeError} `DATA`, with the command that unpacks or converts it
 */
export function refusePacked(first: Buffer, path: string): void {
  const kind = KINDS.find(({ magic, at = 0 }) => first.subarray(at, at + magic.length).equals(magic));
  if (kind === undefined) return;
  const isSheet = WORKBOOK.test(first.toString('latin1', 30, 90)) || /\.(?:xls[xmb]|ods)$/i.test(path);
  const isWorkbook = kind.name === 'a zip archive' && isSheet;
  const isOpenDocument = /mimetypeapplication|\.ods$/i.test(first.toString('latin1', 30, 90) + path);
  const name = isWorkbook ? 'a workbook of a spreadsheet program (xlsx or ods)' : kind.name;
  const remedy = !isWorkbook ? kind.remedy : isOpenDocument ? asCsv : asXlsx;
  const file = path === '-' || isS3(path) ? 'FILE' : quote(path);
  throw new TaskpipeError('DATA', `${path === '-' ? 'stdin' : path} is ${name}; ${remedy(file)}`);
}

/** Returns true if the bytes begin like zstd data: with a frame, or with one to skip, as pzstd writes. */
export function isZstd(first: Buffer): boolean {
  if (first.length < 4) return false;
  const magic = first.readUInt32LE();
  return magic === 0xfd2fb528 || (magic & 0xfffffff0) === 0x184d2a50;
}

/** Returns true if the bytes begin like gzip data. */
export function isGzip(first: Buffer): boolean {
  return first[0] === 0x1f && first[1] === 0x8b;
}
