import { TaskpipeError } from '../../core/base/errors.ts';
import { choice, count, flag, list, pairs, path, size, text, value } from '../../core/options/declare.ts';
import { checkOptions, type LibraryOptions, type Names } from '../../core/options/library-options.ts';
import { InvalidValue, mustBeWhole } from '../../core/options/option.ts';
import { patience } from '../../core/options/server-patience.ts';
import { isEncoding } from '../../core/text/encoding.ts';
import { MAX_LINE, type Reject } from '../../core/text/lines.ts';
import { identityOptions } from '../../loaders/identity.ts';
import { formats } from '../../loaders/index.ts';

/** Options of a load: of `task-load` and of `load()`. */
export const loadOptions = {
  ...identityOptions,
  /** Ledger with the finished tasks, which are left out. */
  ledger: path('leave out the tasks that are finished according to this ledger', { placeholder: 'LEDGER' }),
  /** True to load finished tasks too. Default false. */
  again: flag('load finished tasks too'),
  /** Treatment of a uuid that occurred before in this load. Default `skip`. */
  duplicates: choice('treatment of a uuid that came before in this load', ['skip', 'keep', 'fail'], {
    default: 'skip',
  }),
  /** Format of the input. Default: by the ending of the file name, else by the first bytes. */
  format: choice('format; default: by the file name extension, else by the first bytes', formats, {
    placeholder: 'NAME',
    details: `One of ${formats.join(', ')}.`,
  }),
  /** Character between cells. Default: a comma, or a tab for TSV. */
  delimiter: value('character between two cells (\\t is a tab)', 'CHAR', toDelimiter),
  /** Character that encloses cells, or `none`. Default `"` in CSV, none in TSV. */
  quote: value('character that encloses cells, or none; default: " in CSV, none in TSV', 'CHAR', toMark),
  /**
   * Character that escapes the next one, or `none`. Default: `\\` in TSV; none in CSV, where a quote is
   * doubled.
   */
  escape: value(
    'character that escapes the next one, or none; default: a quote is doubled in CSV, \\ in TSV',
    'CHAR',
    toMark,
  ),
  /** Number of lines to skip before the first row or line. Default 0. */
  skip: count('skip N lines before the first row', { min: 0, defaultText: '0' }),
  /** Beginning of lines to skip, in a table or a file of plain lines. */
  comment: value('skip lines that begin with this text, such as #', 'TEXT', toComment),
  /** Column names, in place of the header's. */
  columns: list('column names, instead of those in the header'),
  /** Name of an encoding, such as `gbk`. Default: UTF-8, or UTF-16 or UTF-32 by a byte order mark. */
  encoding: value('encoding, such as gbk, windows-1252 or utf-16le (default: UTF-8)', 'NAME', toEncoding),
  /** Attribute that a plain line becomes. Default `line`. */
  field: text('attribute that a plain line becomes', { defaultText: 'line', placeholder: 'NAME' }),
  /** True to read a list whose items end with NUL, instead of lines. Default false. */
  null: flag('read a list whose items end with NUL, not with a newline, as from find -print0', {
    alias: ['0'],
    details:
      'Items may contain newlines. An item that is not UTF-8 keeps its bytes, as base64 in line_base64 in place of line; {line} and "$TASK_line" of a --command are then these bytes.',
  }),
  /**
   * Attributes to keep, by name or path, in order. They do not affect the uuid, which may be made of
   * attributes that are not kept.
   */
  select: list('keep these attributes, in this order; nested ones by path, such as a.b'),
  /** New names by old name or path. Renaming comes first: the uuid is made of the new names. */
  rename: pairs('rename attributes; nested ones, given by path, move to the top level', 'OLD=NEW,…'),
  /** Attributes, by name or path, that must not be missing, null or empty. */
  require: list('reject records in which one of these attributes is missing, null or empty'),
  /** SQL statement that returns rows of a database. Default: all rows of `table`. */
  query: text('SELECT statement that gives the rows of a database, of SQLite or PostgreSQL', {
    placeholder: 'SQL',
    defaultText: 'all of --table',
  }),
  /** Table of a database. Default `tasks`. */
  table: text('table of a database, of SQLite or PostgreSQL', { placeholder: 'NAME', defaultText: 'tasks' }),
  /** Sheet of a workbook. Default: the first one that is not hidden. */
  sheet: text('sheet of a workbook; default: the first one', { placeholder: 'NAME' }),
  /** Maximum number of tasks to load. Records that are left out, such as finished ones, do not count. */
  limit: count('load at most N tasks, not counting finished ones', { min: 0 }),
  /** Number of valid records to skip first. Default 0. */
  offset: count('skip the first N records of the input', { min: 0, default: 0 }),
  /** Number of tasks to choose evenly from all of the input. The choice is the same each time. */
  sample: count('load N tasks chosen evenly from the whole input, the same ones each time', { min: 0 }),
  /** Part `index` (from 1) of `of` to load. The uuid alone decides which part a task is in. */
  shard: value<Shard>('load part I of N; the part of a task depends on its uuid alone', 'I/N', toShard),
  /** Longest line or row, in bytes. Default 16 MiB. */
  maxLine: size('maximum length of a line or row', { default: MAX_LINE, defaultText: '16MB' }),
  /** Time that a server with the input or the ledger may be unavailable, in milliseconds. Default 1 minute. */
  patience,
};

interface Shard {
  readonly index: number;
  readonly of: number;
}

/** Options of `load()` that the command does not have, or has in another form. */
interface OwnLoadOptions {
  /**
   * True if a table begins with its header. Default true; without one, columns are `column1` and so on. The
   * command has `--no-header` instead, because a flag is false unless it is given.
   */
  readonly header?: boolean | undefined;
  /** Function that receives all rejected input. Default: the first rejection ends the load with an error. */
  readonly reject?: Reject | undefined;
  /** Called with messages that may interest the user. */
  readonly info?: ((message: string) => void) | undefined;
  /**
   * Opens standard input, for the path `-`. Once `signal` is aborted it must end on its own; data that was read until
   * then is loaded.
   */
  readonly stdin?: (() => AsyncIterable<Buffer>) | undefined;
  /** Signal to end the load after the data that it has read. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `load()`. `typeof loadOptions` is repeated, because a spread table loses its doc comments. */
export type LoadOptions = LibraryOptions<typeof identityOptions & typeof loadOptions, OwnLoadOptions>;

/** Names of the options of `OwnLoadOptions`. */
export const OWN_LOAD_OPTIONS: Names<OwnLoadOptions> = {
  header: true,
  reject: true,
  info: true,
  stdin: true,
  signal: true,
};

/** Checks options. @throws {TaskpipeError} `USAGE` if one is unknown or invalid */
export function checkLoadOptions(options: LoadOptions): void {
  checkOptions('load()', options, loadOptions, OWN_LOAD_OPTIONS);
  mustBeWhole('shard.of', options.shard?.of, 1);
  for (const [from, to] of options.rename ?? []) {
    if (to !== 'run' && to !== 'result') continue;
    throw new TaskpipeError(
      'USAGE',
      `--rename must not create "${to}", which is reserved for taskpipe; got "${from}=${to}"`,
    );
  }
}

/** Returns whether a text is one character that may be a delimiter, a quote or an escape. */
function isCharacter(text: string): boolean {
  return text.length === 1 && !/[\r\n\ud800-\udfff]/.test(text);
}

function toDelimiter(typed: string): string {
  const delimiter = typed === '\\t' ? '\t' : typed;
  if (!isCharacter(delimiter) || delimiter === '"')
    throw new InvalidValue('must be one character, not a quote or a line end');
  return delimiter;
}

function toMark(typed: string): string {
  if (typed !== 'none' && !isCharacter(typed)) throw new InvalidValue('must be one character, or none');
  return typed;
}

function toComment(typed: string): string {
  if (typed === '') throw new InvalidValue("must be the beginning of a line, as in '#'");
  return typed;
}

function toEncoding(typed: string): string {
  if (!isEncoding(typed))
    throw new InvalidValue('must be the name of an encoding, as in gbk, shift_jis or windows-1252');
  return typed;
}

function toShard(typed: string): Shard {
  const [index = 0, of = 0] = /^\d+\/\d+$/.test(typed) ? typed.split('/').map(Number) : [];
  if (index < 1 || index > of) throw new InvalidValue('must be I/N with I from 1 to N, as in 1/4');
  return { index, of };
}
