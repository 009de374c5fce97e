import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, inFolder, inLanes, type Notes, notes } from './support/live.ts';
import { finishedIn, rowsOf } from './support/oracle.ts';
import { HANGING, type Pages, startPages } from './support/pages.ts';
import type { Program } from './support/program.ts';
import type { Report } from './support/report.ts';
import { type Cell, CODES, commandOf, isRight, LOOP, signalCells, signalOf } from './support/signal-cells.ts';
import { Stage } from './support/stage.ts';

/*
 * Events that end a stage early, in every state of the stage. Each stage is a process between two real pipes.
 */

/** Maximum time to the end in milliseconds, less than the default grace. */
const LIMIT = 9000;
/** Number of tasks in flight. */
const JOBS = 20;
/** Number of lines before the stage is idle. */
const FEW = 5;
/** Moments during the start, in milliseconds. */
const STARTS = [30, 120, 220] as const;
const FLOOD = 10_000_000;
/** Maximum processor time of a waiting stage, in percent. */
const MOST_SHARE = 10;

interface Trial extends Cell {
  readonly stage: Stage;
  readonly folder: string;
  readonly add: Notes['add'];
  /** Number of requests so far. */
  asked: number;
}

/**
 * Ends stages in each cell.
 * @param isTried selects the cells; default: all
 */
export async function signals(
  program: Program,
  isTried: (cell: Cell) => boolean = () => true,
): Promise<Report> {
  const pages = await startPages();
  const report = notes();
  try {
    await inLanes(4, signalCells().filter(isTried), async (cell) => {
      await inFolder((folder) => tryCell(cell, { program, folder, pages, report }));
      report.count('cells');
    });
  } finally {
    pages.close();
  }
  return report;
}

interface Place {
  readonly program: Program;
  readonly folder: string;
  readonly pages: Pages;
  readonly report: Notes;
}

async function tryCell(cell: Cell, { program, folder, pages, report }: Place): Promise<void> {
  const { name, mood, event } = cell;
  const add: Notes['add'] = (kind, words) => report.add(kind, `${name}, ${mood}, ${event}: ${words}`);
  // An executor holds back up to 4 MB of results before it starts no more tasks.
  const more = 'x'.repeat(mood !== 'blocked' ? 10 : name === 'task-exec' ? 30_000 : 500);
  const round = `${mood === 'hanging' ? HANGING : mood}-${folder.replace(/.*-/, '')}`;
  const lineOf = (n: number): string =>
    JSON.stringify({ uuid: uuidOf(n), url: `${pages.url}/${round}/${n * 10 + 1}`, more });
  if (mood === 'waiting') spawnSync('mkfifo', [join(folder, 'never')]);
  if (mood === 'looping') writeFileSync(join(folder, 'loop.mjs'), LOOP);
  const stage = new Stage(program, folder, commandOf(cell), lineOf);
  const trial: Trial = { ...cell, stage, folder, add, asked: 0 };
  pages.asked.set(round, () => void trial.asked++);
  try {
    await prepare(trial);
    const acted = await act(trial);
    const code = await Promise.race([stage.ended, after(LIMIT).then(() => undefined)]);
    const took = Math.round(performance.now() - acted);
    report.figures['ms of the slowest'] = Math.max(report.figures['ms of the slowest'] ?? 0, took);
    if (code === undefined) add('hang', `it did not end within ${LIMIT} ms`);
    else if (!isRight(cell, code)) add('exit code', `${code} in place of ${CODES[event]}`);
    if (stage.stderr !== '' && mood !== 'looping') add('other', `it says ${stage.stderr}`);
    const left = await stage.clean();
    if (left !== '') add('other', `a process is left: ${left}`);
    else if (mood !== 'waiting') await check(trial);
    if (code === 0 && linesOf(stage.out).length < FEW) add('lost', 'it leaves with 0, and has not done all');
  } catch (error) {
    add('hang', String(error));
    await stage.clean();
  }
}

function uuidOf(n: number): string {
  return `t${n}`;
}

/** Brings a stage into its mood. */
async function prepare(trial: Trial): Promise<void> {
  const { mood, stage, name, add } = trial;
  if (mood === 'starting' || mood === 'waiting') {
    stage.give(FEW);
    stage.read();
    await after(mood === 'waiting' ? 400 : (STARTS[trial.event.length % STARTS.length] as number));
    return;
  }
  if (mood === 'looping') {
    stage.give(FEW);
    stage.read();
    await stage.until(() => stage.ticks() > 60);
    return;
  }
  if (mood === 'hanging') {
    stage.read();
    stage.give(JOBS + FEW);
    await stage.until(() => trial.asked === JOBS);
    await stage.isStill();
  } else if (mood === 'blocked') {
    stage.give(FLOOD);
    await stage.until(() => stage.written > 60_000);
    await stage.isStill();
  } else {
    const few = mood === 'idle' ? FEW : name === 'task-exec' ? 300 : 3000;
    stage.give(mood === 'idle' ? FEW : FLOOD);
    stage.read();
    await stage.until(() => linesOf(stage.out).length >= few);
    if (mood === 'idle') await stage.isStill();
  }
  if (mood !== 'busy') await quiet(stage, add);
}

/**
 * Checks that a waiting stage uses little processor time. A short peak, for example of garbage collection, is
 * allowed.
 */
async function quiet(stage: Stage, add: Notes['add']): Promise<void> {
  let share = 100;
  for (let i = 0; i < 5 && share > MOST_SHARE; i++) {
    const before = stage.ticks();
    const began = performance.now();
    await after(200);
    share = ((stage.ticks() - before) * 1000) / (performance.now() - began);
  }
  if (share > MOST_SHARE) add('other', `it takes ${share.toFixed(0)} % of a processor while it waits`);
}

/** Triggers the event. Returns its time. */
async function act(trial: Trial): Promise<number> {
  const { stage, event, mood } = trial;
  if (event === 'reader gone') stage.leave();
  else if (event === 'SIGTERM to the group') stage.signalGroup('SIGTERM');
  else {
    if (event === 'SIGTERM while stopped') stage.signal('SIGSTOP');
    stage.signal(signalOf(event));
  }
  if (event === 'SIGTERM while stopped') {
    await after(300);
    stage.signal('SIGCONT');
  }
  if (event === 'second SIGINT') {
    await stage.heard();
    stage.signal('SIGINT');
  }
  const acted = performance.now();
  if (mood === 'starting') await stage.close();
  if (event === 'reader gone' || mood === 'starting' || mood === 'waiting' || mood === 'looping')
    return acted;
  if (event !== 'second SIGINT') await goOn(trial);
  else if (mood === 'blocked') void stage.ended.then(() => stage.read());
  return acted;
}

/**
 * Checks the work that continues after the first signal: filters at the end of a pipe drain their input, and
 * every stage waits for a reader.
 */
async function goOn({ stage, mood, name, add }: Trial): Promise<void> {
  const drains = name === 'task-save' || name === 'task-done mark';
  await stage.heard();
  if (mood === 'blocked') {
    await stage.isStill();
    await quiet(stage, add);
    stage.read();
  }
  if (!drains) return;
  const before = linesOf(stage.out).length;
  if (mood === 'idle') stage.give(FEW);
  const takesMore = (): boolean => linesOf(stage.out).length >= before + FEW;
  await stage.until(takesMore);
  if (!takesMore()) add('lost', 'it no longer takes what comes, at the first signal');
  await stage.close();
}

/** Returns the complete lines of a text. */
function linesOf(text: string): string[] {
  return text.split('\n').slice(0, -1);
}

/** Checks the output, and the files that the stage has written. */
async function check({ stage, name, mood, event, folder, add }: Trial): Promise<void> {
  await stage.readAll();
  const consumed = Array.from({ length: stage.consumed() }, (_, n) => uuidOf(n));
  // A stage that ends at once cannot take back the half of a line that was already in a full pipe.
  const mayBeCut = event === 'reader gone' || (event === 'second SIGINT' && mood === 'blocked');
  if (!mayBeCut && !/^(.*\n)?$/s.test(stage.out)) add('torn', 'its output does not end with a newline');
  const out = linesOf(stage.out).map((line) => (JSON.parse(line) as { uuid: string }).uuid);
  const passed = new Set(out);
  if (passed.size < out.length) add('double', `${out.length - passed.size} lines of its output`);
  const all = (there: ReadonlySet<string>, wanted: Iterable<string>, words: string): void => {
    const lost = [...wanted].filter((uuid) => !there.has(uuid));
    if (lost.length > 0) add('lost', `${lost.length} of ${consumed.length}, as ${lost[0]}: ${words}`);
  };
  all(new Set(consumed), passed, 'what came out did not go in');
  if (name === 'task-load') {
    if (out.some((uuid, n) => uuid !== uuidOf(n)))
      add('lost', 'what came out is not the beginning of what went in');
    if (!mayBeCut) all(passed, consumed, 'it was read, and did not come out');
    return;
  }
  if (name === 'task-exec') {
    if (!mayBeCut) all(passed, consumed, 'it was read, and did not come out');
    return;
  }
  const finished = finishedIn(join(folder, 'ledger'));
  all(finished, passed, 'it came out, and is not in the ledger');
  if (name === 'task-done mark') {
    if (!mayBeCut) all(passed, consumed, 'it was read, and did not come out');
    return;
  }
  const { uuids, isWhole } = rowsOf(join(folder, 'out.ndjson'));
  const rows = new Set(uuids);
  if (!isWhole || rows.size < uuids.length) add('torn', 'rows are torn, or there twice');
  all(rows, finished, 'it is in the ledger, and has no row');
  all(finished, rows, 'it has a row, and is not in the ledger');
  if (event !== 'reader gone') all(rows, consumed, 'it was read, and has no row');
}
