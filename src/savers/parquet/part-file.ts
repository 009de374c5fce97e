import { closeSync, existsSync, openSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type FileMetaData,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { ByteWriter, ParquetWriter } from 'hyparquet-writer';
import { ioError, messageOf, systemCode, TaskpipeError } from '../../core/base/errors.ts';
import { datasync, syncFolder, writeAll } from '../../core/storage/durable.ts';
import { cellsOf, elementOf, kindOfElement, type PartColumn, type PartKind } from './part-columns.ts';

/** Columns and uuids of an existing part. */
export interface FoundPart {
  readonly kinds: ReadonlyMap<string, PartKind>;
  /** Uuids of its rows, by row group. */
  readonly uuids: AsyncIterable<readonly string[]>;
}

/**
 * Opens a part to read its uuids.
 * @throws {TaskpipeError} `DATA` if it is not a Parquet file with a column of uuids, `IO`
 */
export async function readPart(path: string): Promise<FoundPart> {
  try {
    const file = await asyncBufferFromFile(path);
    const metadata = await parquetMetadataAsync(file);
    const columns = parquetSchema(metadata).children.map(({ element }) => element);
    const kinds = new Map(columns.map((element) => [element.name, kindOfElement(element)]));
    if (kinds.get('uuid') !== 'text') throw new TaskpipeError('DATA', withoutUuids(path));
    return { kinds, uuids: uuidsIn(path, file, metadata) };
  } catch (error) {
    throw partError(path, error);
  }
}

async function* uuidsIn(
  path: string,
  file: AsyncBuffer,
  metadata: FileMetaData,
): AsyncGenerator<readonly string[]> {
  let rowStart = 0;
  try {
    for (const { num_rows } of metadata.row_groups) {
      const rowEnd = rowStart + Number(num_rows);
      const rows = await parquetReadObjects({
        ...{ file, metadata, rowStart, rowEnd, compressors },
        columns: ['uuid'],
      });
      yield rows.flatMap(({ uuid }) => (typeof uuid === 'string' && uuid !== '' ? [uuid] : []));
      rowStart = rowEnd;
    }
  } catch (error) {
    throw partError(path, error);
  }
}

function withoutUuids(path: string): string {
  return `${path} has no column "uuid" with text, by which rows that are saved are found; move it out of the folder`;
}

function partError(path: string, error: unknown): unknown {
  if (error instanceof TaskpipeError) return error;
  if (/^E[A-Z]+$/.test(systemCode(error) ?? '')) return ioError('cannot read', path, error);
  return new TaskpipeError(
    'DATA',
    `${path} is not a whole Parquet file (${messageOf(error)}); move it out of the folder, then run the same command again with --accept-edits`,
    { cause: error },
  );
}

function bytesOf(columns: readonly PartColumn[]): Buffer {
  const bytes = new ByteWriter();
  const elements = columns.map(elementOf);
  // The writer would parse and write JSON again, and change its numbers: so it gets text, and the type is set
  // afterwards.
  const written = elements.map((element) =>
    element.converted_type === 'JSON' ? { ...element, converted_type: 'UTF8' as const } : element,
  );
  const root = { name: 'root', num_children: columns.length };
  const writer = new ParquetWriter({ writer: bytes, schema: [root, ...written], createdBy: 'taskpipe' });
  const columnData = columns.map((column) => ({
    name: column.name,
    // The writer asks for one column after another, so that only the cells of one column are in memory.
    get data() {
      return cellsOf(column);
    },
    statistics: column.kind !== 'json',
  }));
  writer.write({ columnData, rowGroupSize: ROW_GROUP });
  writer.schema = [root, ...elements];
  writer.finish();
  return Buffer.from(bytes.getBuffer());
}

/** Maximum number of rows of a row group, as in files of DuckDB. */
const ROW_GROUP = 122_880;

/**
 * Writes a part under a temporary name, and renames it once it is whole and, with `sync`, on the disk.
 * @throws {TaskpipeError} `IO`
 */
export async function writePart(
  path: string,
  temporary: string,
  columns: readonly PartColumn[],
  sync: boolean,
): Promise<void> {
  const bytes = bytesOf(columns);
  try {
    const fd = openSync(temporary, 'w');
    try {
      await writeAll(fd, bytes);
      if (sync) await datasync(fd);
    } finally {
      closeSync(fd);
    }
    if (existsSync(path))
      throw new TaskpipeError(
        'IO',
        `${path} was made by another program meanwhile; run the same command again`,
      );
    await rename(temporary, path);
    if (sync) syncFolder(path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {}); // the first error is the one to report
    throw error instanceof TaskpipeError ? error : ioError('cannot write', path, error);
  }
}
