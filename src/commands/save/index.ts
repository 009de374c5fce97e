/*
 * task-save: its options, and the messages about saved records and the next command. Must not know formats: these are
 * in savers/.
 */
import { TaskpipeError } from '../../core/base/errors.ts';
import type { Progress } from '../../core/base/progress.ts';
import { type Command, defineCommand } from '../../core/options/command.ts';
import { size } from '../../core/options/declare.ts';
import { optionsOf } from '../../core/options/library-options.ts';
import { scrubbed } from '../../core/options/secrets.ts';
import { withoutUnused } from '../../core/options/unused-options.ts';
import { readTasks } from '../../core/record/ndjson.ts';
import { withPassword } from '../../core/redis/redis-address.ts';
import type { RowForm } from '../../core/simd/row-form.ts';
import { checkPlaces, STDIN, STDOUT } from '../../core/storage/path-conflicts.ts';
import { MAX_LINE } from '../../core/text/lines.ts';
import { flushed, NO_TASKS, openRejects } from '../../core/text/rejects.ts';
import { unusedLedgerOptions } from '../../ledgers/index.ts';
import { placesOf, unusedOptions } from '../../savers/index.ts';
import { totalOf, totalOption } from '../../stages/load/total.ts';
import { outputFile, restFileOf } from '../../stages/save/output-place.ts';
import { type SaveSummary, save } from '../../stages/save/save.ts';
import { OWN_SAVE_OPTIONS, type SaveOptions, saveOptions } from '../../stages/save/save-options.ts';
import { queuePipeOf } from '../queue-pipe.ts';
import { lastWords } from './save-words.ts';

const options = {
  ...saveOptions,
  total: totalOption,
  maxLine: size('maximum length of a line', { default: MAX_LINE, defaultText: '16MB' }),
} as const;

export const command: Command = defineCommand({
  name: 'task-save',
  summary: 'Saves tasks and their results: each uuid gives exactly one row, through any crash.',
  usage: 'OUT [options]',
  about: `OUT is a .csv, .tsv, .ndjson or .jsonl file, a SQLite database (.db, .sqlite), a database of PostgreSQL (postgres://HOST/DATABASE), a folder of Parquet files (.parquet/), a prefix in S3 (s3://BUCKET/PREFIX/), or - for the standard output. It is appended to; a uuid that has a row is not written again.

SUCCESS records, and records without "run", go to OUT. All others go to the rest file, ready to be loaded again; it goes away once nothing is left in it.

The columns of a CSV are those of its header, else --fields, else those of the first record in its order: nested attributes with dots, arrays and empty objects as JSON. --fields NAME=PATH names a column; a name with a comma or = stands in double quotes. A record with an attribute that has no column goes to the rest file with the code COLUMNS; task-save OUT --widen < OUT.rest.ndjson adds the column, and no task runs again.

In a database, a later record with the same uuid replaces the row, but a failure (--all) does not replace a success. A new attribute gets its own column; objects and arrays are JSON. Several processes may save to one database at a time, each with its own --rest.

In a folder of Parquet files, each commit is a part: part-000001.parquet and so on, which never changes. Each attribute is a column of text, of whole or other numbers, or of booleans; objects and arrays are JSON. Parts may differ in their columns.

In S3, each record is the object PREFIX/UUID.json, which a later record replaces. Server and credentials are those of the variables and profiles of AWS.

After the first SIGINT, SIGTERM or SIGHUP task-save saves the rest of its input. After a second one it saves what it has read, and ends. The last line says how to continue.`,
  takesFiles: true,
  options,
  files: {
    'OUT.rest.ndjson':
      'Records that are not saved, the newest of each uuid (--rest). During a run, its own are in OUT.rest.ndjson.run. For s3://BUCKET/PREFIX/, OUT is s3+BUCKET+PREFIX; for a table of PostgreSQL, postgres+HOST+DATABASE+TABLE.',
    'OUT.run':
      'Marks a run that writes to OUT; removed at its end. If it is left, the run crashed, and the next start recovers OUT.',
    'OUT.torn-TIME':
      'Unfinished rows that a crash left at the end of OUT. They were moved here, and their tasks run again.',
    'OUT.kept-TIME':
      'A copy of the output, if it was removed or replaced during a run: it has the rows of that run.',
    'OUT.new, OUT.wide, OUT.rest.ndjson.new':
      'New files on the way to their places (--overwrite, --widen, the rest file).',
  },
  examples: [
    ['task-load a.csv | task-exec --http | task-save out.csv', 'fetch the urls in a.csv'],
    [
      'task-save out.csv --fields uuid,url,result.status --ledger done.jsonl',
      'save three columns, and mark saved tasks in a ledger',
    ],
    ['task-load out.csv.rest.ndjson | task-exec --http | task-save out.csv', 'run failed tasks again'],
    ['task-save out.ndjson --tee | jq -r .url', 'pass records on once they are safe'],
    ['task-save tasks.db', 'save a row per task in the table "tasks" of a SQLite database'],
    [
      "task-save 'postgres://db.example/shop' --table prices",
      'save a row per task in the table "prices" of PostgreSQL',
    ],
    ['task-save out.parquet/ --ledger done.jsonl', 'save to Parquet files, 50,000 rows in each'],
    ['task-save s3://results/pages/ --ledger done.jsonl', 'store an object per task in S3'],
    ['task-save - --format csv | head', 'look at the rows'],
  ],
  isFilter: (values, [out]) => values.tee || out === '-',
  async run(all, operands, io) {
    const [out, ...others] = operands;
    if (out === undefined || out === '' || others.length > 0) {
      const got =
        operands.length === 0 ? 'none' : operands.map((operand) => JSON.stringify(operand)).join(' ');
      throw new TaskpipeError('USAGE', `give one output, as in task-save out.csv; got ${got}`);
    }
    const unused = new Map([...unusedOptions(out, all.format), ...unusedLedgerOptions(all.ledger, out)]);
    const values = withoutUnused(all, unused, io.typed);
    checkStreams(out, values);
    const total = await totalOf(values.total);
    const rejects = await openRejects({ file: values.rejects, warn: io.warn });
    const lineOptions = {
      source: 'stdin',
      reject: rejects.reject,
      truncated: io.truncated,
      maxLine: values.maxLine,
    };
    let form: (() => RowForm | undefined) | undefined;
    // Continues to read after the first signal, to save the records that earlier stages still write.
    const read = readTasks(io.stdin(io.aborting), { ...lineOptions, form: () => form?.() });
    const tasks = flushed(read, rejects);
    try {
      const given = {
        ...values,
        ledger: withPassword(values.ledger, io.env),
        tee: values.tee ? io.write : undefined,
        write: io.write,
        stopped: io.stopping,
        warn: io.warn,
        info: io.info,
        onForm: (opened: () => RowForm | undefined) => {
          form = opened;
        },
        watch: (soFar: Readonly<SaveSummary>) => io.progress(() => progressOf(soFar), total),
      };
      const summary = await save(tasks, out, optionsOf<SaveOptions>(given, saveOptions, OWN_SAVE_OPTIONS));
      const { failed, pending, misfits, present } = summary;
      const isQuestion = io.stopping.aborted || failed + pending + misfits + present > 0;
      const told = {
        ack: values.tee && isQuestion ? queuePipeOf(io)?.ack : undefined,
        ...{
          out: shownOutput(out, values.table),
          argv: io.argv,
          options,
          bad: rejects.count,
          delimiter: values.delimiter,
        },
        partitionBy: values.partitionBy,
        ...{ isStopped: io.stopping.aborted, isTee: values.tee, isOverwrite: values.overwrite },
        isFromFile: io.isFromFile,
        ledger: values.ledger && scrubbed(values.ledger),
      };
      for (const line of lastWords(summary, told)) io.info(line);
      if (rejects.count > 0 && summary.read === 0) io.info(NO_TASKS);
      await rejects.close();
      return failed + pending + misfits + rejects.count > 0 ? 1 : 0;
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
  {
    table,
    rest = restFileOf(out, table),
    ledger,
    rejects,
  }: Pick<SaveOptions, 'rest' | 'ledger' | 'rejects' | 'table'>,
): void {
  const places = placesOf(outputFile(out), { rest, ledger, rejects });
  for (const place of places) checkPlaces([place], place.use === '--rest' ? [] : [STDIN, STDOUT]);
}

/** Returns an output for messages: for a table of a server, the url that names the table as a ledger. */
function shownOutput(out: string, table: string | undefined): string {
  if (out === '-' || outputFile(out) !== undefined) return out;
  const end = table === undefined ? '' : `${out.includes('?') ? '&' : '?'}table=${encodeURIComponent(table)}`;
  return `${scrubbed(out)}${end}`;
}

function progressOf({ read, saved, failed, pending, misfits, present }: Readonly<SaveSummary>): Progress {
  return {
    through: read,
    counts: [
      { count: saved, words: 'saved' },
      { count: failed + misfits, words: 'failed', isFailure: true },
      { count: pending, words: 'not done' },
      { count: present, words: 'already there' },
    ],
  };
}
