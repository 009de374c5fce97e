import { type FileHandle, open } from 'node:fs/promises';
import {
  type AsyncBuffer,
  type FileMetaData,
  parquetMetadataAsync,
  parquetRead,
  parquetSchema,
  type SchemaElement,
  type SchemaTree,
} from 'hyparquet';
import { ioError, messageOf, systemCode, TaskpipeError } from '../../core/base/errors.ts';
import { parseRecord } from '../../core/record/ndjson.ts';
import type { Loaded, ReadOptions } from '../contract.ts';
import { JsonLoaded } from '../json/json-records.ts';
import { codecs } from './parquet-codecs.ts';
import { jsonOf, NotUtf8, PLAIN_PARSERS } from './parquet-values.ts';

/** Number of rows in a batch. */
const BATCH = 500;

/**
 * Reads the rows of a Parquet file, one row group at a time. A column becomes an attribute, unless it is null. Rows
 * are numbered from 1.
 * @throws {TaskpipeError} `IO`, or `DATA` if it is not a whole Parquet file
 */
export async function* parquet(path: string, options: ReadOptions): AsyncGenerator<readonly Loaded[]> {
  const handle = await open(path, 'r').catch((error) => {
    throw ioError('cannot read', path, error);
  });
  try {
    const { size } = await handle.stat();
    await checkMagic(handle, path, size);
    const file = bufferOf(handle, size);
    const metadata = await parquetMetadataAsync(file);
    const columns = parquetSchema(metadata).children;
    checkNames(columns, path);
    let first = 0;
    for (const { num_rows } of metadata.row_groups) {
      const end = first + Number(num_rows);
      const rows = await rowsOf(file, plainMetadata(metadata), first, end);
      for (let i = 0; i < rows.length; i += BATCH)
        yield recordsOf(rows.slice(i, i + BATCH), columns, first + i, { ...options, source: path });
      first = end;
    }
  } catch (error) {
    throw parquetError(path, error);
  } finally {
    await handle.close();
  }
}

type Row = Readonly<Record<string, unknown>>;

async function rowsOf(
  file: AsyncBuffer,
  metadata: FileMetaData,
  rowStart: number,
  rowEnd: number,
): Promise<Row[]> {
  let rows: Row[] = [];
  await parquetRead({
    file,
    metadata,
    rowStart,
    rowEnd,
    compressors: codecs,
    utf8: false,
    rowFormat: 'object',
    parsers: PLAIN_PARSERS,
    onComplete: (all) => {
      rows = all;
    },
  });
  return rows;
}

/** Returns metadata without the column types that hyparquet would round or cannot read. */
function plainMetadata(metadata: FileMetaData): FileMetaData {
  const schema = metadata.schema.map((element): SchemaElement => {
    const { converted_type: kind, logical_type: logical } = element;
    const isOdd = kind === 'DECIMAL' || kind === 'BSON' || kind === 'INTERVAL' || logical?.type === 'DECIMAL';
    if (!isOdd) return element;
    const { converted_type: _, logical_type: __, ...plain } = element;
    return plain as SchemaElement;
  });
  return { ...metadata, schema };
}

function recordsOf(
  rows: readonly Row[],
  columns: readonly SchemaTree[],
  before: number,
  options: ReadOptions,
): readonly Loaded[] {
  const keys = columns.map(({ element }) => `${JSON.stringify(element.name)}:`);
  const records: Loaded[] = [];
  rows.forEach((row, i) => {
    const line = before + i + 1;
    const text = recordText(row, columns, keys);
    if (text instanceof NotUtf8) {
      const message = `the column ${text.message} is not valid UTF-8`;
      options.reject({ source: options.source, line, code: 'UTF8', message, text: '' });
      return;
    }
    const record = parseRecord(text);
    if (record !== undefined && !('code' in record))
      records.push(new JsonLoaded({ ...record, line }, options));
    else
      options.reject({
        source: options.source,
        line,
        text,
        ...(record ?? { code: 'JSON', message: 'not a record' }),
      });
  });
  return records;
}

function recordText(row: Row, columns: readonly SchemaTree[], keys: readonly string[]): string | NotUtf8 {
  let text = '';
  for (let i = 0; i < columns.length; i++) {
    const column = columns[i] as SchemaTree;
    try {
      const json = jsonOf(row[column.element.name], column);
      if (json !== undefined) text += `${text === '' ? '' : ','}${keys[i]}${json}`;
    } catch (error) {
      if (error instanceof NotUtf8) return new NotUtf8(column.element.name);
      throw error;
    }
  }
  return `{${text}}`;
}

/** @throws {TaskpipeError} `DATA` if two columns have the same name */
function checkNames(columns: readonly SchemaTree[], path: string): void {
  const names = columns.map(({ element }) => element.name);
  const twice = names.find((name, i) => names.indexOf(name) < i);
  if (twice === undefined) return;
  throw new TaskpipeError(
    'DATA',
    `${path}: two columns are named ${JSON.stringify(twice)}; rename one of them`,
  );
}

async function checkMagic(handle: FileHandle, path: string, size: number): Promise<void> {
  const refuse = (words: string): never => {
    throw new TaskpipeError('DATA', `${path} ${words}`);
  };
  const magic = Buffer.alloc(4);
  await handle.read(magic, 0, 4, 0);
  const start = magic.toString('latin1');
  if (start === 'PARE') refuse('is an encrypted Parquet file; write it again without encryption');
  if (start !== 'PAR1') refuse('is not a Parquet file');
  await handle.read(magic, 0, 4, Math.max(0, size - 4));
  if (size < 12 || magic.toString('latin1') !== 'PAR1')
    refuse('is cut short, or its writer has not ended: the end of a Parquet file is missing; copy it again');
}

function bufferOf(handle: FileHandle, byteLength: number): AsyncBuffer {
  return {
    byteLength,
    async slice(start, end = byteLength) {
      const bytes = new Uint8Array(Math.max(0, Math.min(end, byteLength) - start));
      for (let at = 0; at < bytes.length; ) {
        const { bytesRead } = await handle.read(bytes, at, bytes.length - at, start + at);
        if (bytesRead === 0) throw new Error('unexpected end of file');
        at += bytesRead;
      }
      return bytes.buffer;
    },
  };
}

function parquetError(path: string, error: unknown): unknown {
  if (error instanceof TaskpipeError) return error;
  if (/^E[A-Z]+$/.test(systemCode(error) ?? '')) return ioError('cannot read', path, error);
  return new TaskpipeError('DATA', `${path}: the Parquet data cannot be read: ${messageOf(error)}`, {
    cause: error,
  });
}
