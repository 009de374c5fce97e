import { TaskpipeError } from '../core/base/errors.ts';
import { counted, number } from '../core/base/format.ts';
import type { Progress } from '../core/base/progress.ts';
import type { UuidVersion } from '../core/ids/uuid.ts';
import { type Command, defineCommand } from '../core/options/command.ts';
import { choice, count, flag, list, pairs, path, size, text, value } from '../core/options/declare.ts';
import { InvalidValue } from '../core/options/option.ts';
import { optionsOf } from '../core/options/unknown-options.ts';
import { checkPlaces, filePath, STDIN, STDOUT } from '../core/storage/path-conflicts.ts';
import { withPassword } from '../core/storage/redis-address.ts';
import { isEncoding } from '../core/text/encoding.ts';
import { type BadInput, MAX_LINE } from '../core/text/lines.ts';
import { openRejects } from '../core/text/rejects.ts';
import { formats, sizeOf } from '../loaders/index.ts';
import { type LoadingLines, loadLines } from '../stages/load/load.ts';
import { isCharacter, LOAD_NAMES, type LoadOptions } from '../stages/load/load-options.ts';

const options = {
  uuidFields: list(
    'make the uuid of these attributes, by name or path, as Python: uuid3(NAMESPACE_URL, value)',
  ),
  uuid: choice(
    'the kind of uuid: 3 (MD5) or 5 (SHA-1), made of the record; 4 or 7 are random: no resuming',
    ['3', '5', '4', '7'],
    {
      default: '3',
      env: 'TASK_UUID_VERSION', // TASK_UUID is the uuid of the task, for a command
    },
  ),
  uuidSep: text("the separator of several values; '' for plain concatenation", {
    default: '\u001f',
    defaultText: 'U+001F',
    allowsEmpty: true,
  }),
  ledger: path('leave out what this ledger says is finished', { placeholder: 'LEDGER' }),
  again: flag('load what is finished too'),
  duplicates: choice('a uuid that came before in this load', ['skip', 'keep', 'fail'], { default: 'skip' }),
  format: choice('the format; default: by the ending, else by the first bytes', formats),
  delimiter: value('what stands between two cells, one character (\\t is a tab)', 'CHAR', toDelimiter),
  quote: value('what encloses cells, one character, or none; default: " in CSV, none in TSV', 'CHAR', toMark),
  escape: value(
    'what escapes the next character, or none; default: a quote is doubled in CSV, \\ in TSV',
    'CHAR',
    toMark,
  ),
  skip: count('skip so many lines before the first row', { min: 0, defaultText: '0' }),
  comment: value("skip lines that begin with this, as in '#'", 'TEXT', toComment),
  noHeader: flag('the first row is data; columns are column1, column2, …'),
  columns: list('the names of the columns, in place of those in the header'),
  encoding: value('the encoding, as in gbk, windows-1252, utf-16le (default: UTF-8)', 'NAME', toEncoding),
  field: text('the attribute that a plain line becomes', { defaultText: 'line', placeholder: 'NAME' }),
  select: list('keep these attributes, in this order; nested ones by path, as in a.b'),
  rename: pairs('give attributes other names; nested ones, by path, move to the top', 'OLD=NEW,…'),
  require: list('reject records if one of these, by name or path, is missing, null or empty'),
  query: text('the rows of a SQLite database, by a SELECT', {
    placeholder: 'SQL',
    defaultText: 'all of --table',
  }),
  table: text('the table of a SQLite database', { placeholder: 'NAME', defaultText: 'tasks' }),
  limit: count('load at most so many tasks, of those that are to be done', { min: 0 }),
  offset: count('pass over so many records of the input first', { min: 0, default: 0 }),
  sample: count('load so many, chosen evenly from all of the input, the same ones each time', { min: 0 }),
  shard: value('load part I of N; which tasks are in it depends on their uuid alone', 'I/N', toShard),
  rejects: path('keep invalid input, as NDJSON with its place and the reason'),
  maxLine: size('the longest line or row', { default: MAX_LINE, defaultText: '16MB' }),
} as const;

export const command: Command = defineCommand({
  name: 'task-load',
  summary:
    'Reads CSV, TSV, NDJSON, a JSON array, plain lines or a SQLite database, and writes tasks: NDJSON records with a uuid.',
  usage: '[FILE...] [options]',
  about:
    'FILEs may be packed with gzip; - or no FILE is the standard input. Without --uuid-fields a record keeps the uuid ' +
    'it has, else gets one made of all its names and values: the same input gives the same tasks, so a run can be ' +
    'resumed. A name with a comma or = in an option stands between double quotes, as in CSV.',
  takesFiles: true,
  options,
  examples: [
    ['task-load a.csv | task-exec --http | task-save out.csv', 'fetch the urls in a.csv'],
    ['task-load a.csv --uuid-fields url --ledger done.jsonl', 'only what is not finished'],
    ['task-load out.csv.rest.ndjson | task-exec --http | task-save out.csv', 'run again what failed'],
    ['task-load urls.txt --field url', 'one url a line'],
    [
      `task-load tasks.db --query "select * from tasks where state = 'FAILURE'"`,
      'what failed, of a database',
    ],
    ['task-load big.csv.gz --shard 1/4', 'the first quarter, for one of four machines'],
  ],
  async run(values, operands, io) {
    const from = operands.length === 0 ? ['-'] : operands;
    checkPlaces(
      [{ use: '--rejects', path: values.rejects }, STDOUT],
      [
        ...from.map((path) => (path === '-' ? STDIN : { use: 'FILE', path })),
        { use: '--ledger', path: filePath(values.ledger) },
      ],
    );
    const typed = new Set([...io.typed].map((key) => (key === 'noHeader' ? 'header' : key)));
    const size = await sizeOf(from);
    const given = {
      ...values,
      ledger: withPassword(values.ledger, io.env),
      uuid: Number(values.uuid) as UuidVersion,
      header: !values.noHeader,
      rename: new Map(values.rename ?? []),
      reject: (bad: BadInput) => rejects.reject(bad),
      info: io.info,
      stdin: () => io.stdin(io.stopping),
      signal: AbortSignal.any([io.stopping, io.leaving]),
    };
    const tasks = loadLines(from, optionsOf<LoadOptions>(given, LOAD_NAMES), typed);
    const rejects = await openRejects({ file: values.rejects, warn: io.warn });
    io.progress(() => progressOf(tasks, { size, limit: values.limit, rejected: rejects.count }));
    try {
      for await (const lines of tasks) {
        if (lines.length > 0) await io.write(lines);
        await rejects.flush();
      }
    } catch (error) {
      // A later stage may get the signal first, and close the pipe.
      const isGone = error instanceof TaskpipeError && error.code === 'PIPE';
      if (isGone && io.stopping.aborted) io.info(summary(tasks, rejects.count, values.rejects, true));
      throw error;
    } finally {
      await rejects.close();
    }
    io.info(summary(tasks, rejects.count, values.rejects, io.stopping.aborted));
    return rejects.count > 0 ? 1 : 0;
  },
});

/** Extent of a load, for the progress line. */
interface Whole {
  /** Size of its files, in bytes; undefined if unknown. */
  readonly size: number | undefined;
  readonly limit: number | undefined;
  /** Number of rejected records. */
  readonly rejected: number;
}

function progressOf({ counts }: LoadingLines, { size, limit, rejected }: Whole): Progress {
  const shares = [size ? counts.bytes / size : 0, limit ? counts.loaded / limit : 0];
  const share = Math.min(1, Math.max(...shares)); // a file may grow
  return {
    through: counts.read,
    counts: [
      { count: counts.loaded, words: 'tasks' },
      { count: rejected, words: 'rejected', isFailure: true },
      { count: counts.finished, words: 'finished before' },
      { count: counts.duplicates, words: 'duplicates' },
    ],
    share: share > 0 ? share : undefined,
  };
}

function summary(
  { counts }: LoadingLines,
  rejected: number,
  file: string | undefined,
  isStopped: boolean,
): string {
  const { last } = counts;
  const place = last === undefined ? '' : ` (${last})`;
  const loaded = counted(counts.loaded, 'task');
  const parts = [isStopped ? `stopped after ${loaded}${place}` : loaded];
  if (counts.finished > 0) parts.push(`${number(counts.finished)} finished before`);
  if (counts.duplicates > 0) parts.push(`${counted(counts.duplicates, 'duplicate')} left out (--duplicates)`);
  if (rejected > 0) {
    parts.push(
      `${number(rejected)} rejected, ${file === undefined ? '--rejects FILE keeps them' : `kept in ${file}`}`,
    );
  }
  return parts.join(', ');
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

function toShard(typed: string): { index: number; of: number } {
  const [index = 0, of = 0] = /^\d+\/\d+$/.test(typed) ? typed.split('/').map(Number) : [];
  if (index < 1 || index > of) throw new InvalidValue('must be I/N with I from 1 to N, as in 1/4');
  return { index, of };
}
