import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type HostileModule, hostileModule, MODES, type Mode } from './support/hostile-module.ts';
import { after, inFolder, inLanes, type Notes, notes, randomFrom } from './support/live.ts';
import type { Program } from './support/program.ts';
import type { Report } from './support/report.ts';
import { Stage } from './support/stage.ts';

/*
 * Modules and flows that print, leave open, throw, return and block in ways that they should not, in a stage
 * that is stopped at a random moment. The stage must end, and emit each task that it read as one record.
 */

export interface HostileAmount {
  readonly modules: number;
  readonly seed: number;
}

const TASKS = 14;
/** Time that running tasks have after a signal, in milliseconds. */
const GRACE = 400;
/** Time from the end of the grace to that of the process, on a machine that is busy, in milliseconds. */
const ENDING = 8000;
/** Time that a module may take without a signal, in milliseconds. */
const UNHURRIED = 30_000;

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const CODES = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

interface Trial extends HostileModule {
  readonly index: number;
  /** Signal, and how far the stage is when it comes; undefined: no signal. */
  readonly stop: { readonly signal: (typeof SIGNALS)[number]; readonly moment: Moment } | undefined;
  /** Milliseconds to a second signal; undefined: none. */
  readonly again: number | undefined;
}

/** Number of records to wait for, and the longest wait in milliseconds. */
type Moment = readonly [records: number, milliseconds: number];

/** Tries hostile modules, each in one of the modes. */
export async function hostileModules(program: Program, { modules, seed }: HostileAmount): Promise<Report> {
  const report = notes();
  const trials = Array.from({ length: modules }, (_, index) => trialOf(index, seed + index));
  await inLanes(4, trials, async (trial) => {
    await inFolder((folder) => tryModule(trial, program, folder, report));
    report.count('modules');
  });
  const add = report.breaches.splice(0);
  for (const { kind, words } of add) report.add(kind, `seed ${seed}, ${words}`);
  return report;
}

function trialOf(index: number, seed: number): Trial {
  const random = randomFrom(seed);
  const modes = Object.keys(MODES) as Mode[];
  const module = hostileModule(random, modes[index % modes.length] as Mode);
  const isStopped = module.blocks || module.neverLoads || random() < 0.7;
  const signal = SIGNALS[Math.floor(random() * SIGNALS.length)] as (typeof SIGNALS)[number];
  const moments: readonly Moment[] = [
    [TASKS, random() * 400],
    [1, 700],
    [TASKS - 2, 1500],
  ];
  const moment = moments[Math.floor(random() * moments.length)] as Moment;
  const again = isStopped && random() < 0.25 ? random() * GRACE : undefined;
  return { ...module, index, stop: isStopped ? { signal, moment } : undefined, again };
}

async function tryModule(trial: Trial, program: Program, folder: string, report: Notes): Promise<void> {
  const { index, mode, stop, again, code, own } = trial;
  const when = stop === undefined ? 'no signal' : `${stop.signal} after ${stop.moment.join(' or ')} ms`;
  const more = again === undefined ? '' : ` and ${Math.round(again)} ms`;
  const add: Notes['add'] = (kind, words) =>
    report.add(kind, `module ${index}, ${mode}, ${when}${more}: ${words}\n${own}\n`);
  writeFileSync(join(folder, 'work.mjs'), code);
  const options = `--grace ${GRACE}ms --timeout 600ms --retries 0`;
  const command = `task-exec ${MODES[mode]} ${options}`.split(' ');
  const stage = new Stage(program, folder, command, (n) => JSON.stringify({ uuid: `t${n}`, n }));
  stage.give(TASKS);
  stage.read();
  const ended = stage.ended.then((code) => ({ code }));
  void stage.closeAfterAll();
  if (stop !== undefined) {
    await passed(stage, stop.moment, ended);
    stage.signal(stop.signal);
    if (again !== undefined) {
      await after(again);
      stage.signal(stop.signal);
    }
  }
  const limit = stop === undefined ? UNHURRIED : GRACE + ENDING;
  const end = await Promise.race([ended, after(limit).then(() => undefined)]);
  if (end === undefined) add('hang', `it did not end within ${limit} ms: ${stage.stderr.slice(-500)}`);
  else await check(trial, stage, end.code, add, report);
  stage.killAll();
}

/** Waits for some records, for some milliseconds, or for the end. */
async function passed(stage: Stage, [records, most]: Moment, ended: Promise<unknown>): Promise<void> {
  let isOver = false;
  void ended.then(() => {
    isOver = true;
  });
  const until = performance.now() + most;
  while (!isOver && performance.now() < until && stage.out.split('\n').length <= records) await after(5);
}

/**
 * Returns the exit codes and signals by which a stage may end. It is killed if its main thread is blocked for longer than
 * the grace, which on a busy machine may happen to any module.
 * @param isRescued true if it had read no task, or says that it has written the unfinished ones
 */
function codesOf({ stop, strays, neverLoads, mode }: Trial, isRescued: boolean): (number | string)[] {
  const codes: (number | string)[] = [0, 1];
  if (strays) codes.push(70);
  if (neverLoads) codes.push(2, 70);
  if (stop === undefined) return codes;
  codes.push(CODES[stop.signal], stop.signal);
  if (mode !== '--threads' && isRescued) codes.push('SIGKILL');
  return codes;
}

async function check(
  trial: Trial,
  stage: Stage,
  code: number | string,
  add: Notes['add'],
  report: Notes,
): Promise<void> {
  await stage.readAll();
  const said = stage.stderr.slice(-600);
  const taken = stage.consumed();
  const isRescued = taken === 0 || /unfinished tasks? (is|are) PENDING\n$/.test(stage.stderr);
  if (!codesOf(trial, isRescued).includes(code)) add('exit code', `${code}; it says ${said}`);
  if (/a defect in/.test(stage.stderr)) add('crash', `it says ${said}`);
  const lines = stage.out.split('\n');
  if (lines.pop() !== '') add('torn', 'its output does not end with a newline');
  const uuids: string[] = [];
  for (const line of lines) {
    try {
      const { uuid, n, run } = JSON.parse(line) as { uuid: string; n: number; run: { state: string } };
      if (uuid !== `t${n}` || typeof run.state !== 'string') throw new Error('not a record of ours');
      uuids.push(uuid);
    } catch {
      add('other', `its output has ${line.slice(0, 200)}`);
    }
  }
  const there = new Set(uuids);
  if (there.size < uuids.length) add('double', `${uuids.length - there.size} records`);
  const lost = Array.from({ length: taken }, (_, n) => `t${n}`).filter((uuid) => !there.has(uuid));
  if (lost.length > 0) add('lost', `${lost} of ${taken} tasks, exit code ${code}; it says ${said}`);
  report.figures.records = (report.figures.records ?? 0) + uuids.length;
  report.figures.stopped = (report.figures.stopped ?? 0) + (trial.stop === undefined ? 0 : 1);
}
