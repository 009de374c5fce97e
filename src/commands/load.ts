import { type Command, defineCommand } from '../core/command.ts';
import { TaskpipeError } from '../core/errors.ts';
import { type BadInput, MAX_LINE } from '../core/lines.ts';
import { optionsOf } from '../core/names.ts';
import { choice, count, flag, list, path, Rule, size, text, value } from '../core/option.ts';
import type { Progress } from '../core/progress.ts';
import { withPassword } from '../core/redis-address.ts';
import { openRejects } from '../core/rejects.ts';
import { isEncoding } from '../core/text.ts';
import type { UuidVersion } from '../core/uuid.ts';
import { counted, number } from '../core/words.ts';
import { formats } from '../loaders/index.ts';
import { sizeOf } from '../loaders/sources.ts';
import { checkPlaces } from '../savers/places.ts';
import { type LoadingLines, loadLines } from '../stages/load.ts';
import { isCharacter, LOAD_NAMES, type LoadOptions } from '../stages/load-options.ts';

const options = {
  uuidFields: list('make the uuid of these attributes, as Python: uuid3(NAMESPACE_URL, value)'),
  uuid: choice(
    'the kind of uuid: 3 (MD5) or 5 (SHA-1) of values; 4 or 7 are random: no resuming',
    ['3', '5', '4', '7'],
    {
      default: '3',
      env: 'TASK_UUID_VERSION', // TASK_UUID is what a command finds its task's uuid in
    },
  ),
  uuidSep: text("what joins several values; '' for plain concatenation", {
    default: '\u001f',
    shown: 'U+001F',
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
  skip: count('skip so many lines before the first row', { min: 0, shown: '0' }),
  comment: value("skip lines that begin with this, as in '#'", 'TEXT', toComment),
  noHeader: flag('the first row is data; columns are column1, column2, …'),
  columns: list('the names of the columns, in place of those in the header'),
  encoding: value('the encoding, as in gbk, windows-1252, utf-16le (default: UTF-8)', 'NAME', toEncoding),
  field: text('the attribute that a plain line becomes', { shown: 'line', placeholder: 'NAME' }),
  select: list('keep these attributes, in this order'),
  rename: list('give attributes other names', { placeholder: 'OLD=NEW,…' }),
  require: list('reject records where one of these is missing or empty'),
  query: text('the rows of a SQLite database, by a SELECT', { placeholder: 'SQL', shown: 'all of --table' }),
  table: text('the table of a SQLite database', { placeholder: 'NAME', shown: 'tasks' }),
  limit: count('load at most so many tasks, of those that are to be done', { min: 0 }),
  offset: count('pass over so many records of the input first', { min: 0, default: 0 }),
  sample: count('load so many, chosen evenly from all of the input, the same ones each time', { min: 0 }),
  shard: value('load part I of N; which tasks are in it depends on their uuid alone', 'I/N', toShard),
  rejects: path('keep input that is no task, as NDJSON with its place and the reason'),
  maxLine: size('the longest line or row', { default: MAX_LINE, shown: '16MB' }),
} as const;

export const command: Command = defineCommand({
  name: 'task-load',
  summary:
    'Reads CSV, TSV, NDJSON, a JSON array, plain lines or a SQLite database, and writes tasks: NDJSON records with a uuid.',
  usage: '[FILE...] [options]',
  about:
    'FILEs may be packed with gzip; - or no FILE is the standard input. Without --uuid-fields a record keeps the uuid ' +
    'it has, else gets one made of all its values: the same input gives the same tasks, so a run can be resumed.',
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
    for (const path of operands) {
      if (path !== '-')
        checkPlaces([
          { use: 'FILE', path },
          { use: '--rejects', path: values.rejects },
        ]);
    }
    const from = operands.length === 0 ? ['-'] : operands;
    const typed = new Set([...io.typed].map((key) => (key === 'noHeader' ? 'header' : key)));
    const size = await sizeOf(from);
    const given = {
      ...values,
      ledger: withPassword(values.ledger, io.env),
      uuid: Number(values.uuid) as UuidVersion,
      header: !values.noHeader,
      rename: toRenames(values.rename),
      reject: (bad: BadInput) => rejects.reject(bad),
      note: io.note,
      stdin: () => io.stdin(io.stopping),
      signal: AbortSignal.any([io.stopping, io.leaving]),
    };
    const tasks = loadLines(from, optionsOf<LoadOptions>(given, LOAD_NAMES), typed);
    const rejects = await openRejects({ file: values.rejects, say: io.say });
    io.progress(() => progressOf(tasks, { size, limit: values.limit, rejected: rejects.count }));
    try {
      for await (const lines of tasks) {
        if (lines.length > 0) await io.write(lines);
        await rejects.flush();
      }
    } finally {
      await rejects.close();
    }
    io.note(summary(tasks, rejects.count, values.rejects));
    return rejects.count > 0 ? 1 : 0;
  },
});

/** What a load is to do. */
interface Whole {
  /** Of its files, in bytes; undefined where nobody knows. */
  readonly size: number | undefined;
  readonly limit: number | undefined;
  /** How many records were no task. */
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

function summary({ counts }: LoadingLines, rejected: number, file: string | undefined): string {
  const parts = [counted(counts.loaded, 'task')];
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
    throw new Rule('must be one character, not a quote or a line end');
  return delimiter;
}

function toMark(typed: string): string {
  if (typed !== 'none' && !isCharacter(typed)) throw new Rule('must be one character, or none');
  return typed;
}

function toComment(typed: string): string {
  if (typed === '') throw new Rule("must be the beginning of a line, as in '#'");
  return typed;
}

function toEncoding(typed: string): string {
  if (!isEncoding(typed))
    throw new Rule('must be the name of an encoding, as in gbk, shift_jis or windows-1252');
  return typed;
}

function toShard(typed: string): { index: number; of: number } {
  const [index = 0, of = 0] = /^\d+\/\d+$/.test(typed) ? typed.split('/').map(Number) : [];
  if (index < 1 || index > of) throw new Rule('must be I/N with I from 1 to N, as in 1/4');
  return { index, of };
}

function toRenames(pairs: readonly string[] | undefined): Map<string, string> {
  return new Map(
    (pairs ?? []).map((pair) => {
      const [from, to, ...more] = pair.split('=');
      if (!from || !to || more.length > 0) {
        throw new TaskpipeError(
          'USAGE',
          `--rename must be OLD=NEW pairs with commas between them; got ${JSON.stringify(pair)}`,
        );
      }
      return [from, to] as const;
    }),
  );
}
