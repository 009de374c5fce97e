import { TaskpipeError } from '../core/base/errors.ts';
import { counted, number } from '../core/base/format.ts';
import type { Progress } from '../core/base/progress.ts';
import { type Command, defineCommand } from '../core/options/command.ts';
import { flag, path } from '../core/options/declare.ts';
import { optionsOf } from '../core/options/library-options.ts';
import { withoutUnused } from '../core/options/unused-options.ts';
import { withPassword } from '../core/redis/redis-address.ts';
import { checkPlaces, filePath, STDIN, STDOUT } from '../core/storage/path-conflicts.ts';
import type { BadInput } from '../core/text/lines.ts';
import { openRejects } from '../core/text/rejects.ts';
import { unusedLedgerOptions } from '../ledgers/index.ts';
import { sizeOf } from '../loaders/index.ts';
import { type LoadingLines, loadLines } from '../stages/load/load.ts';
import { type LoadOptions, loadOptions, OWN_LOAD_OPTIONS } from '../stages/load/load-options.ts';

const options = {
  ...loadOptions,
  noHeader: flag('treat the first row as data; columns are column1, column2, …'),
  rejects: path('keep invalid input, as NDJSON with its place and the reason'),
} as const;

export const command: Command = defineCommand({
  name: 'task-load',
  summary:
    'Reads CSV, TSV, NDJSON, a JSON array, plain lines, a sitemap, a workbook, Parquet, or a database of SQLite or PostgreSQL, and writes tasks: NDJSON records with a uuid.',
  usage: '[FILE...] [options]',
  about:
    'FILEs may be packed with gzip or zstd; - or no FILE is the standard input, and s3://BUCKET/KEY an object in S3, with the variables and profiles of AWS. Without --uuid-fields a record keeps the uuid ' +
    'it has, else gets one made of all its names and values: the same input gives the same tasks, so a run can be ' +
    'resumed. A name with a comma or = in an option stands between double quotes, as in CSV.',
  takesFiles: true,
  options,
  examples: [
    ['task-load a.csv | task-exec --http | task-save out.csv', 'fetch the urls in a.csv'],
    ['task-load a.csv --uuid-fields url --ledger done.jsonl', 'only what is not finished'],
    ['task-load out.csv.rest.ndjson | task-exec --http | task-save out.csv', 'run failed tasks again'],
    ['task-load urls.txt --field url', 'one url a line'],
    [
      `task-load tasks.db --query "select * from tasks where state = 'FAILURE'"`,
      'what failed, of a database',
    ],
    ["task-load 'postgres://db.example/shop' --table items", 'the rows of a table of PostgreSQL'],
    ['task-load s3://lists/urls.csv.gz', 'an object in S3'],
    ['task-load big.csv.gz --shard 1/4', 'the first quarter, for one of four machines'],
  ],
  async run(all, operands, io) {
    const from = operands.length === 0 ? ['-'] : operands;
    const server = from.find((path) => filePath(path) === undefined);
    const values = withoutUnused(all, unusedLedgerOptions(all.ledger, server), io.typed);
    checkPlaces(
      [{ use: '--rejects', path: values.rejects }, STDOUT],
      [
        ...from.map((path) => (path === '-' ? STDIN : { use: 'FILE', path: filePath(path) })),
        { use: '--ledger', path: filePath(values.ledger) },
      ],
    );
    const typed = new Set([...io.typed].map((key) => (key === 'noHeader' ? 'header' : key)));
    const size = await sizeOf(from);
    const given = {
      ...values,
      ledger: withPassword(values.ledger, io.env),
      header: !values.noHeader,
      reject: (bad: BadInput) => rejects.reject(bad),
      info: io.info,
      stdin: () => io.stdin(io.stopping),
      signal: AbortSignal.any([io.stopping, io.aborting]),
    };
    const tasks = loadLines(from, optionsOf<LoadOptions>(given, loadOptions, OWN_LOAD_OPTIONS), typed);
    const rejects = await openRejects({ file: values.rejects, warn: io.warn });
    io.progress(() => progressOf(tasks, { size, limit: values.limit, rejected: rejects.count }));
    try {
      for await (const lines of tasks) {
        if (lines.length > 0) await io.write(lines);
        await rejects.flush();
      }
    } catch (error) {
      // A later stage may receive the signal first, and close the pipe.
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
