import { choice, count, duration, flag, path, text, value } from '../../core/options/declare.ts';
import type { LibraryOptions, Names } from '../../core/options/library-options.ts';
import type { Option } from '../../core/options/option.ts';
import { patience } from '../../core/options/server-patience.ts';
import type { RowForm } from '../../core/simd/row-form.ts';
import { toAsciiDelimiter } from '../../core/text/delimiter.ts';
import { type FieldOption, FLUSH, PARQUET_LIMITS, parseFields, saveFormats } from '../../savers/index.ts';
import type { SaveSummary } from '../../savers/router.ts';

const fields: Option<readonly FieldOption[] | undefined> = {
  description: 'save only these attributes, nested ones with dots; NAME=PATH names the column',
  placeholder: 'A,B,NAME=PATH',
  defaultValue: undefined,
  many: true,
  parse: parseFields,
};

/** Options of a save: of `task-save` and of `save()`. */
export const saveOptions = {
  /** Format of the output. Default: by the ending of its name; `ndjson` for `-`. */
  format: choice('format; default: by the file name extension, and ndjson for -', saveFormats),
  /**
   * Attributes to save, nested ones with dots; others are left out. A column has the path as its name, or the
   * name that is given with it. Default: see `widen`.
   */
  fields,
  /** Character between two cells of CSV or TSV. Default: that of the format. */
  delimiter: value('character between two cells of CSV or TSV (\\t is a tab)', 'CHAR', toAsciiDelimiter),
  /** True to begin a new CSV or TSV with a byte order mark, so that spreadsheets read it as UTF-8. */
  bom: flag('begin a new CSV or TSV with a byte order mark, so that Excel reads it as UTF-8'),
  /** Ledger in which saved tasks are marked as finished. */
  ledger: path('mark saved tasks as finished in this ledger', { placeholder: 'LEDGER' }),
  /** Path of the rest file, for records that are not saved. Default: the output's path and `.rest.ndjson`. */
  rest: path('file for records that are not saved', { defaultText: 'OUT.rest.ndjson' }),
  /** True to save every record whose task ended, failures too; `PENDING` ones go to the rest file. Default false. */
  all: flag('save failed records too; they then count as finished'),
  /**
   * True to add columns for attributes that have none; otherwise their records go to the rest file, with code
   * `COLUMNS`.
   */
  widen: flag('add a column for an attribute that has none'),
  /**
   * True to accept edits of the output since the last run: removed rows are deleted from the ledger, rows without a
   * uuid are kept, and an incomplete last row is moved aside. Otherwise these are errors.
   */
  acceptEdits: flag('accept that rows were removed from OUT: their tasks run again'),
  /** True to replace the output with a new file at the end. */
  overwrite: flag('replace OUT by a new file at the end'),
  tee: flag('write every record to stdout once it is safe, in OUT or in the rest file'),
  /** True to put a quote before cells that a spreadsheet would run as formulas. */
  escapeFormulas: flag("put a ' before cells that a spreadsheet would run as formulas"),
  /** Number of records at which a commit begins. Default 1000; for Parquet, where a commit is a part, 50000. */
  flush: count('records per commit', { defaultText: `${FLUSH}, ${PARQUET_LIMITS.records} for Parquet` }),
  /** Longest time that a record waits for a commit, in milliseconds. Default 1000; for Parquet 60000. */
  flushInterval: duration('commit when a record has waited this long', {
    defaultText: '1s, 1m for Parquet',
  }),
  /**
   * `batch`: every commit is on the disk before it counts. `none`: the system decides when. Default `batch`.
   */
  sync: choice(
    'batch: a commit is on the disk before it counts; none: left to the system',
    ['batch', 'none'],
    { default: 'batch' },
  ),
  /** Table of a database. Default `tasks`. */
  table: text('table of a database', { placeholder: 'NAME', defaultText: 'tasks' }),
  /** Attribute, by name or path, by which OUT is divided: `DIR/NAME=VALUE/FILE` for an OUT of `DIR/FILE`. */
  partitionBy: text('write OUT, DIR/FILE, as one file per value of this attribute: DIR/NAME=VALUE/FILE', {
    placeholder: 'NAME',
  }),
  /**
   * True to save each record as a whole, in a column `record` of type jsonb. Default false: a column for each
   * attribute.
   */
  jsonb: flag('save whole records to a column "record" of type jsonb (PostgreSQL)'),
  /** File of rejects that the caller writes. It is an error if this stage writes the same file. */
  rejects: path('keep invalid input, as NDJSON with its place and the reason'),
  /** Time that a server with the output or the ledger may be unavailable, in milliseconds. Default 1 minute. */
  patience,
};

/** Options of `save()` that the command does not have, or has in another form. */
interface OwnSaveOptions {
  /**
   * Called with every record, as lines, once it is safe in the output or in the rest file. The command prints
   * them.
   */
  readonly tee?: ((lines: string) => Promise<void>) | undefined;
  /** Writes to standard output, for the path `-`. */
  readonly write?: ((text: string) => Promise<void>) | undefined;
  /** Aborted if the run was stopped: records that arrived are saved, but nothing is overwritten. */
  readonly stopped?: AbortSignal | undefined;
  /** Called once at the start, with the summary that grows during the run. */
  readonly watch?: ((summary: Readonly<SaveSummary>) => void) | undefined;
  /**
   * Called once the output is open, with a function that returns the form in which `readTasks` may write the rows of the
   * next tasks.
   */
  readonly onForm?: ((form: () => RowForm | undefined) => void) | undefined;
  /** Called with messages that the user must know. */
  readonly warn?: ((message: string) => void) | undefined;
  /** Called with messages that may interest the user. */
  readonly info?: ((message: string) => void) | undefined;
}

/** Options of `save()`. */
export type SaveOptions = LibraryOptions<typeof saveOptions, OwnSaveOptions>;

/** Names of the options of `OwnSaveOptions`. */
export const OWN_SAVE_OPTIONS: Names<OwnSaveOptions> = {
  tee: true,
  write: true,
  stopped: true,
  watch: true,
  onForm: true,
  warn: true,
  info: true,
};
