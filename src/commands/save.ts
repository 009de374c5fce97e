import { quote } from 'shlex';
import { type Command, defineCommand } from '../core/command.ts';
import { TaskpipeError } from '../core/errors.ts';
import { MAX_LINE } from '../core/lines.ts';
import { optionsOf } from '../core/names.ts';
import { readTasks } from '../core/ndjson.ts';
import { choice, count, duration, flag, list, path, size, text } from '../core/option.ts';
import type { Progress } from '../core/progress.ts';
import { withPassword } from '../core/redis-address.ts';
import { flushed, NO_TASKS, openRejects } from '../core/rejects.ts';
import { typedLine } from '../core/typed.ts';
import { counted, number } from '../core/words.ts';
import { FLUSH, FLUSH_INTERVAL } from '../savers/commit.ts';
import { saveFormatOf, saveFormats } from '../savers/index.ts';
import { checkPlaces, placesOf, STDIN, STDOUT } from '../savers/places.ts';
import { restFileOf, SAVE_NAMES, type SaveOptions, type SaveSummary, save } from '../stages/save.ts';
import { totalOf, totalOption } from '../stages/total.ts';

const options = {
  format: choice('the format; default: by the ending, and ndjson for -', saveFormats),
  fields: list('save these attributes, nested ones with dots, and leave out the others'),
  ledger: path('mark what is saved as finished in this ledger', { placeholder: 'LEDGER' }),
  rest: path('where records go that are not saved', { shown: 'OUT.rest.ndjson' }),
  all: flag('save failed records too; they count as finished then'),
  widen: flag('add a column for an attribute that has none'),
  overwrite: flag('put a new file in the place of OUT, at the end'),
  tee: flag('write every record to stdout once it is safe, in OUT or in the rest file'),
  escapeFormulas: flag("put a ' before cells that a spreadsheet would run as formulas"),
  flush: count('commit at so many records', { default: FLUSH }),
  flushInterval: duration('commit when a record has waited so long', {
    default: FLUSH_INTERVAL,
    shown: '1s',
  }),
  sync: choice(
    'batch: a commit is on the disk before it counts; none: left to the system',
    ['batch', 'none'],
    {
      default: 'batch',
    },
  ),
  total: totalOption,
  table: text('the table of a database', { placeholder: 'NAME', shown: 'tasks' }),
  rejects: path('keep input that is no task, as NDJSON with its place and the reason'),
  maxLine: size('the longest line', { default: MAX_LINE, shown: '16MB' }),
} as const;

export const command: Command = defineCommand({
  name: 'task-save',
  summary: 'Saves tasks and their results: each uuid gives exactly one row, through any crash.',
  usage: 'OUT [options]',
  about: `OUT is a .csv, .tsv, .ndjson or .jsonl file, a SQLite database (.db, .sqlite), or - for the standard output. It is appended to; a uuid that has a row is not written again.

SUCCESS records, and records without "run", go to OUT. All others go to the rest file, ready to be loaded again; it goes away once nothing is left in it.

The columns of a CSV are those of its header, else --fields, else those of the first record: nested attributes with dots, arrays as JSON. A record with an attribute that has no column goes to the rest file, with the code COLUMNS and its result; to save these without doing the work again: jq -c 'select(.run.error.code == "COLUMNS") | del(.run)' OUT.rest.ndjson | task-save OUT --widen

In a database, a later record of a uuid takes the place of its row, but a failure (--all) not that of a success. A new attribute gets a column by itself; objects and arrays are JSON. Several may save to one at a time, each with a --rest of its own.

The first SIGINT or SIGTERM is passed over: what comes is saved, to the end of the input. The second saves what came, and leaves.`,
  takesFiles: true,
  options,
  files: {
    'OUT.rest.ndjson':
      'The records that are not saved, the newest of each uuid (--rest). While a run goes on, OUT.rest.ndjson.run has its own.',
    'OUT.torn-TIME':
      'What a crash had left of unfinished rows; they were cut off, and their tasks are done again.',
    'OUT.kept-TIME':
      'A copy of the output, if it was removed or replaced during a run: rows of that run are in it.',
    'OUT.new, OUT.wide, OUT.rest.ndjson.new':
      'New files on the way to their places (--overwrite, --widen, the rest file).',
  },
  examples: [
    ['task-load a.csv | task-exec --http | task-save out.csv', 'fetch the urls in a.csv'],
    [
      'task-save out.csv --fields uuid,url,result.status --ledger done.jsonl',
      'three columns, and mark what is done',
    ],
    ['task-load out.csv.rest.ndjson | task-exec --http | task-save out.csv', 'run again what failed'],
    ['task-save out.ndjson --tee | jq -r .url', 'what is safe, as it comes'],
    ['task-save tasks.db', 'a row a task in the table "tasks" of a SQLite database'],
    ['task-save - --format csv | head', 'look at the rows'],
  ],
  emits: (values, [out]) => values.tee || out === '-',
  async run(values, operands, io) {
    const [out, ...others] = operands;
    if (out === undefined || out === '' || others.length > 0) {
      const got =
        operands.length === 0 ? 'none' : operands.map((operand) => JSON.stringify(operand)).join(' ');
      throw new TaskpipeError('USAGE', `give one output, as in task-save out.csv; got ${got}`);
    }
    checkStreams(out, values);
    const total = await totalOf(values.total);
    const rejects = await openRejects({ file: values.rejects, say: io.say });
    const lineOptions = {
      source: 'stdin',
      reject: rejects.reject,
      cut: io.cut,
      maxLine: values.maxLine,
    };
    // Not until the first signal: what the stages before this one still give is saved too.
    const tasks = flushed(readTasks(io.stdin(io.leaving), lineOptions), rejects);
    try {
      const given = {
        ...values,
        ledger: withPassword(values.ledger, io.env),
        tee: values.tee ? io.write : undefined,
        write: io.write,
        stopped: io.stopping,
        say: io.say,
        note: io.note,
        watch: (soFar: Readonly<SaveSummary>) => io.progress(() => progressOf(soFar), total),
      };
      const summary = await save(tasks, out, optionsOf<SaveOptions>(given, SAVE_NAMES));
      const told = { out, argv: io.argv, bad: rejects.count, ledger: values.ledger };
      for (const line of inWords(summary, told)) io.note(line);
      if (rejects.count > 0 && summary.read === 0) io.note(NO_TASKS);
      await rejects.close();
      return summary.failed + summary.misfits + rejects.count > 0 ? 1 : 0;
    } catch (error) {
      await rejects.close().catch(() => {}); // the first error is the one to report
      throw error;
    }
  },
});

/**
 * Refuses to write a file that is the standard input or output too. The rest file may be the input: a new one replaces
 * it at the end.
 * @throws {TaskpipeError} `USAGE`
 */
function checkStreams(
  out: string,
  { rest = restFileOf(out), ledger, rejects }: Pick<SaveOptions, 'rest' | 'ledger' | 'rejects'>,
): void {
  const places = placesOf(out === '-' ? undefined : out, { rest, ledger, rejects });
  for (const place of places) if (place.use !== '--rest') checkPlaces([place], [STDIN, STDOUT]);
}

function progressOf({ read, saved, failed, misfits, present }: Readonly<SaveSummary>): Progress {
  return {
    through: read,
    counts: [
      { count: saved, words: 'saved' },
      { count: failed + misfits, words: 'failed', isFailure: true },
      { count: present, words: 'already there' },
    ],
  };
}

interface Told {
  readonly out: string;
  readonly ledger: string | undefined;
  readonly argv: readonly string[];
  /** How many lines were no task. */
  readonly bad: number;
}

/** What was saved, where the rest is, and what to type to have it saved, too. */
function inWords(
  { read, saved, present, rest, misfits, lacking, restFile }: SaveSummary,
  { out, argv, bad, ledger }: Told,
): string[] {
  const parts = [`saved ${number(saved)}`];
  const more: string[] = [];
  // A second run must not take the place of what the first has saved.
  const again = typedLine(
    'task-save',
    argv.filter((word) => !/^--overwrite(=|$)/.test(word)),
    options,
  );
  const file = quote(restFile);
  if (present > 0) parts.push(`${number(present)} already there`);
  if (present > 0 && present === read && ledger === undefined) {
    more.push(
      `${out} already had rows for all ${counted(read, 'task')}, so nothing was saved; if ${out} is also the input, save to another file; with --ledger, finished tasks are not run again`,
    );
  }
  if (rest > misfits) {
    parts.push(`${number(rest - misfits)} to ${restFile}`);
    more.push(`to run these again, with the same stages between: task-load ${file} | … | ${again}`);
  }
  if (misfits > 0) {
    parts.push(`${number(misfits)} that ${out} has no place for, to ${restFile}`);
    const isTable = saveFormatOf(out) === 'sqlite';
    if (isTable) more.push(`why: jq -r .run.error.message ${file}`);
    if (lacking > 0 && !isTable)
      more.push(`to add columns for these, without doing their work again: ${again} --widen < ${file}`);
    if (misfits > lacking && !isTable)
      more.push(`to save what no CSV can hold (VALUE): task-save ${quote(`${out}.ndjson`)} < ${file}`);
  }
  if (bad > 0) parts.push(counted(bad, 'bad line'));
  return [parts.join(', '), ...(out === '-' ? [] : more)];
}
