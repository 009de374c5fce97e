import { quote } from 'shlex';
import { counted, number } from '../../core/base/format.ts';
import type { Options } from '../../core/options/option.ts';
import { typedLine } from '../../core/options/secrets.ts';
import { saveFormatOf } from '../../savers/index.ts';
import type { SaveSummary } from '../../stages/save/save.ts';
import { QUEUE_HINT } from '../queue-pipe.ts';

/** Facts about a run that its last words depend on. */
export interface Told {
  readonly out: string;
  readonly argv: readonly string[];
  readonly options: Options;
  /** Number of lines that were not tasks. */
  readonly bad: number;
  /** True if a signal stopped the run. */
  readonly isStopped: boolean;
  /** True if records were passed on with `--tee`, for example to `task-queue ack`. */
  readonly isTee: boolean;
  /** Command line of a later `task-queue ack`, which returns unsaved tasks to their queue. */
  readonly ack: string | undefined;
  readonly isOverwrite: boolean;
  /** True if records came from a file, so that no earlier stage can run them. */
  readonly isFromFile: boolean;
  readonly ledger: string | undefined;
  readonly delimiter: string | undefined;
  /** Attribute that divides the output into files. */
  readonly partitionBy: string | undefined;
}

/**
 * Returns a message: the number of saved records, the place of the rest, and the command that saves the rest.
 */
export function lastWords(summary: SaveSummary, told: Told): string[] {
  const { unfinished } = summary;
  const isCutShort = told.isStopped || (unfinished > 0 && !told.isFromFile);
  if (told.out === '-') return [`${told.isStopped ? 'stopped: ' : ''}${countsOf(summary, told).join(', ')}`];
  return isCutShort ? stopWords(summary, told) : endWords(summary, told);
}

/** Returns the message about an interrupted run. The last line says how to continue. */
function stopWords(summary: SaveSummary, told: Told): string[] {
  const counts = countsOf(summary, told).join(', ');
  const line = `${told.isStopped ? 'stopped: ' : ''}${counts}`;
  const { rest, misfits } = summary;
  if (told.ack !== undefined) {
    const again = rest > misfits ? '; the queue delivers unfinished and failed tasks again' : '';
    return [...misfitHints(summary, told), `${line}${again}`];
  }
  return [
    ...misfitHints(summary, told),
    ...ledgerHints(summary, told),
    `${line}; run the same command again`,
  ];
}

/** Returns a hint if there is no ledger: the same command then runs finished tasks again. */
function ledgerHints({ saved, present }: SaveSummary, told: Told): string[] {
  const { ledger, out, delimiter, isOverwrite, isTee } = told;
  // A queue does not deliver finished tasks again.
  if (ledger !== undefined || isOverwrite || isTee || saved + present === 0) return [];
  const kind = saveFormatOf(out);
  if (kind === 'sqlite' || kind === 'postgres')
    return [`to skip what is finished, first: export TASK_LEDGER=${quote(out)}`];
  if (kind === undefined || kind === 'parquet' || kind === 's3' || told.partitionBy !== undefined)
    return ['without --ledger the same command runs finished tasks again'];
  const typed = delimiter === undefined ? '' : ` --delimiter ${quote(delimiter)}`;
  const mark = `task-load ${quote(out)}${typed} --quiet | task-done mark done.jsonl > /dev/null`;
  return [
    `without --ledger finished tasks run again; to skip them, first: ${mark}; export TASK_LEDGER=done.jsonl`,
  ];
}

function endWords(summary: SaveSummary, told: Told): string[] {
  const { rest, misfits, restFile } = summary;
  const lines = [countsOf(summary, told).join(', '), ...inputHints(summary, told)];
  if (rest > misfits && told.ack !== undefined) lines.push(QUEUE_HINT);
  else if (rest > misfits && !told.isTee)
    lines.push(
      `to run these again, with the same stages between: task-load ${quote(restFile)} | … | ${commandOf(told)}`,
    );
  return [...lines, ...misfitHints(summary, told)];
}

/** Returns a hint if the output had a row for every task: it may be the input, given by mistake. */
function inputHints({ read, present }: SaveSummary, { out, ledger, ack }: Told): string[] {
  // A queue may deliver a task again after its row was saved.
  if (present === 0 || present < read || ledger !== undefined || ack !== undefined) return [];
  return [
    `${out} already had rows for all ${counted(read, 'task')}, so nothing was saved; if ${out} is also the input, save to another file; with --ledger, finished tasks are not run again`,
  ];
}

function countsOf(summary: SaveSummary, { out, bad, isStopped, isFromFile }: Told): string[] {
  const { saved, present, rest, misfits, unfinished, restFile } = summary;
  const isCutShort = isStopped || (unfinished > 0 && !isFromFile);
  const parts = [isStopped ? `${number(saved)} saved` : `saved ${number(saved)}`];
  if (present > 0) parts.push(`${number(present)} already there`);
  const failed = rest - misfits - unfinished;
  if (failed > 0) parts.push(isCutShort ? `${number(failed)} failed` : `${number(failed)} to ${restFile}`);
  if (unfinished > 0) parts.push(`${number(unfinished)} not done`);
  if (misfits > 0) {
    const why = hasNoWiden(out) ? 'cannot hold' : 'has no place for';
    parts.push(`${number(misfits)} that ${out} ${why}, to ${restFile}`);
  }
  if (bad > 0) parts.push(counted(bad, 'bad line'));
  return parts;
}

/** Returns true if an output adds columns without `--widen`, so that a misfit has another cause. */
function hasNoWiden(out: string): boolean {
  return ['sqlite', 'postgres', 'parquet', 's3'].includes(saveFormatOf(out) ?? '');
}

/** Returns the command as it was typed, without the parts that would fail in a second run. */
function commandOf({ argv, options }: Told): string {
  return typedLine(
    'task-save',
    argv.filter((word) => !/^--(?:overwrite|tee)(?:=|$)/.test(word)),
    options,
  );
}

/** Returns hints, with commands to type, about records of finished work that have no row. */
function misfitHints({ rest, misfits, lacking, reason, restFile }: SaveSummary, told: Told): string[] {
  const { out, ledger, ack } = told;
  const file = quote(restFile);
  if (misfits === 0) return [];
  // They are dead in the queue until they are acknowledged.
  const [tee, settle] = ack === undefined ? ['', ''] : [' --tee', ` | ${ack}`];
  if (hasNoWiden(out))
    return [`the first reason is: ${reason}; all of them: jq -r .run.error.message ${file}`];
  const hints: string[] = [];
  if (lacking > 0)
    hints.push(
      `to add columns for these, without doing their work again: ${commandOf(told)} --widen${tee} < ${file}${settle}`,
    );
  if (misfits > lacking) {
    const from = rest > misfits ? `grep '"code":"VALUE"' ${file} | ` : '';
    const marks = ledger === undefined ? '' : ` --ledger ${quote(ledger)}`;
    const input = from === '' ? ` < ${file}` : '';
    const command = `${from}task-save ${quote(`${out}.ndjson`)}${marks}${tee}${input}${settle}`;
    hints.push(`to save what no CSV can hold (VALUE): ${command}`);
  }
  return hints;
}
