import { delimited } from './delimited.ts';
import { ndjson } from './ndjson.ts';
import type { Destination, DestinationOptions, OpenRows } from './saver.ts';

export type SaveFormat = 'csv' | 'tsv' | 'ndjson' | 'sqlite';

/** A kind of output. */
export interface Saver {
  /** How its files' names end. */
  readonly endings: readonly string[];
  /** Rows of a file; absent where it is no file of rows. */
  readonly rows?: OpenRows;
  /** Opens an output that is no file of rows. */
  readonly open?: (options: DestinationOptions) => Promise<Destination>;
}

/** The formats that are written, by name. */
export const savers: Readonly<Record<SaveFormat, Saver>> = {
  csv: { endings: ['.csv'], rows: delimited(',') },
  tsv: { endings: ['.tsv', '.tab'], rows: delimited('\t') },
  ndjson: { endings: ['.ndjson', '.jsonl'], rows: ndjson },
  sqlite: {
    endings: ['.db', '.sqlite', '.sqlite3'],
    async open(options) {
      const { openTable } = await import('./sqlite/index.ts'); // and SQLite, which files do not need
      return openTable(options);
    },
  },
};

export const saveFormats: readonly SaveFormat[] = Object.keys(savers) as SaveFormat[];

/** The format of an output by the ending of its name; undefined where that tells nothing. */
export function saveFormatOf(path: string): SaveFormat | undefined {
  const name = path.toLowerCase();
  return saveFormats.find((format) => savers[format].endings.some((ending) => name.endsWith(ending)));
}
