import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, endOf, inFolder, isOf, LIMIT, type Notes, type Stages, startStages } from './live.ts';
import { breachesOf, finishedIn } from './oracle.ts';
import { inputText, isBad, type Pages, uuidOf } from './pages.ts';
import type { Program } from './program.ts';

/* Live pipeline in its own folder, which is killed and run again, with the checks after each run. */

const ROWS = 200;
const NUMBERS = Array.from({ length: ROWS }, (_, i) => i + 1);
const GOOD = NUMBERS.filter((n) => !isBad(n)).map(uuidOf);
const BAD = NUMBERS.filter(isBad).map(uuidOf);

/** Pipeline that can run again. */
export interface Way {
  readonly name: string;
  readonly format: 'csv' | 'ndjson';
  readonly out: string;
  readonly hasLedger: boolean;
  /** True if `task-done mark` writes the ledger instead of `task-save`. */
  readonly marks: boolean;
}

/** Returns the user agent of a run. Requests of a killed run may still arrive when the next one begins. */
function agentOf(run: number): string {
  return `run-${run}`;
}

/**
 * Returns the commands of a run.
 * @param run number of the run in its folder; the output of the last stage is kept for each
 */
function stagesOf({ format, out, hasLedger, marks }: Way, run: number): ReadonlyMap<string, string> {
  const ledger = hasLedger ? '--ledger ledger' : '';
  const fields = '--fields uuid,note,result.status,result.text';
  const stages = new Map([
    ['load', `task-load in.${format} ${ledger} --quiet`],
    ['exec', `task-exec --http -j 20 --quiet --user-agent ${agentOf(run)}`],
    ['save', `task-save ${out} ${marks ? '--tee' : ledger} ${fields} --flush 20 --quiet`],
  ]);
  if (marks) stages.set('mark', `task-done mark ledger --quiet > tee.${run}`);
  return stages;
}

export interface Kill {
  /** Name of a stage, or `all`. */
  readonly victim: string;
  /** Time from the start in milliseconds. */
  readonly at: number;
}

/** Pipeline in its folder, with the observations so far. */
export interface Round {
  readonly program: Program;
  readonly way: Way;
  readonly folder: string;
  /** Description for a message, sufficient to repeat the trial by hand. */
  label: string;
  readonly notes: Notes;
  /** Number of requests of each task in the current run. */
  readonly asked: Map<number, number>;
  runs: number;
}

/** Values that a round begins with. */
export type Start = Omit<Round, 'folder' | 'asked' | 'runs'> & { readonly pages: Pages };

export function inRound<T>({ pages, ...start }: Start, work: (round: Round) => Promise<T>): Promise<T> {
  return inFolder(async (folder) => {
    const id = folder.replace(/.*-/, '');
    const round: Round = { ...start, folder, asked: new Map(), runs: 0 };
    const { asked } = round;
    pages.asked.set(id, (n, agent) => {
      if (agent === agentOf(round.runs)) asked.set(n, (asked.get(n) ?? 0) + 1);
    });
    const { format } = start.way;
    writeFileSync(join(folder, `in.${format}`), inputText(format, ROWS, `${pages.url}/${id}`));
    return work(round);
  });
}

/** Runs the pipeline to its end, or kills it, and checks the result. Returns whether a kill hit. */
export async function run(
  round: Round,
  kill?: Kill,
  meanwhile: (stages: Stages, began: number) => Promise<void> = async () => {},
): Promise<boolean> {
  const { program, way, folder, asked, notes } = round;
  const finished = way.hasLedger ? finishedIn(join(folder, 'ledger')) : new Set();
  asked.clear();
  round.runs++;
  const began = performance.now();
  const stages = startStages(program, folder, stagesOf(way, round.runs));
  const meanwhileDone = kill === undefined ? meanwhile(stages, began) : strike(stages, kill);
  const hangs = (who: string): void => add(round, 'hang', `${who} did not end within ${LIMIT} ms`);
  const { codes, stderr } = await endOf(stages.group, stages.end, hangs);
  await meanwhileDone;
  notes.count('runs');
  if (/defect|\n {4}at /.test(stderr)) add(round, 'crash', stderr);
  for (const [n, times] of asked) {
    if (times > 1) add(round, 'other', `${uuidOf(n)} was asked for ${times} times in one run`);
    if (finished.has(uuidOf(n))) add(round, 'other', `${uuidOf(n)} is finished, and was asked for again`);
  }
  const isHit =
    kill !== undefined && (kill.victim === 'all' ? codes.size === 0 : codes.get(kill.victim) === 137);
  const victim = isHit ? kill.victim : undefined;
  for (const fault of faultsOf(codes, victim)) add(round, 'exit code', `${fault}: ${stderr}`);
  if (isHit) checkKilled(round);
  else checkWhole(round);
  return isHit;
}

function add({ label, runs, notes }: Round, ...[kind, words]: Parameters<Notes['add']>): void {
  notes.add(kind, `${label}, run ${runs}: ${words}`);
}

async function strike({ group, pids, end }: Stages, { victim, at }: Kill): Promise<void> {
  await Promise.race([after(at), end]);
  const pid = victim === 'all' ? group : await pids.get(victim);
  if (pid !== undefined && isOf(group, pid)) process.kill(victim === 'all' ? -group : pid, 'SIGKILL');
}

/**
 * Returns unexpected exit codes. A stage before the killed one may find its reader gone; a stage after it
 * reads the end of its input.
 */
function faultsOf(codes: ReadonlyMap<string, number>, victim: string | undefined): string[] {
  const names = [...codes.keys()];
  const at = victim === undefined ? -1 : names.indexOf(victim);
  return names.flatMap((name, i) => {
    const code = codes.get(name) as number;
    const usual = name === 'exec' || name === 'save' ? 1 : 0; // some tasks fail
    const allowed = at < 0 ? [usual] : i === at ? [137] : i < at ? [0, usual, 141] : [0, 1];
    return allowed.includes(code) ? [] : [`${name} ended with ${code}, ${victim ?? 'nothing'} being killed`];
  });
}

/** Checks the promises that hold after any kill. */
function checkKilled(round: Round): void {
  const { folder, way, notes, runs, label } = round;
  const acknowledged = way.marks ? passedOn(round) : [];
  const isGood = ({ state }: Passed): boolean => state === 'SUCCESS';
  notes.breaches.push(
    ...breachesOf({
      folder,
      out: way.out,
      ledger: way.hasLedger ? 'ledger' : undefined,
      acknowledged: acknowledged.filter(isGood).map(({ uuid }) => uuid),
      label: `${label}, run ${runs}:`,
    }),
  );
  if (!way.marks) return;
  const finished = finishedIn(join(folder, 'ledger'));
  const rest = new Set(
    [`${way.out}.rest.ndjson`, `${way.out}.rest.ndjson.run`].flatMap((name) => uuidsIn(folder, name)),
  );
  for (const passed of acknowledged) {
    const { uuid } = passed;
    if (isGood(passed) ? !finished.has(uuid) : !rest.has(uuid))
      add(round, 'lost', `${uuid} was passed on, and is not kept`);
  }
}

/** Checks the promises that hold after a complete run: every record exists once, and nothing else does. */
function checkWhole(round: Round): void {
  const { folder, way, notes, label, runs } = round;
  const ledger = way.hasLedger ? 'ledger' : undefined;
  const { out } = way;
  notes.breaches.push(...breachesOf({ folder, out, ledger, rows: GOOD, label: `${label}, run ${runs}:` }));
  if (ledger !== undefined) {
    const finished = finishedIn(join(folder, ledger));
    for (const uuid of GOOD) if (!finished.has(uuid)) add(round, 'lost', `${uuid} is not in the ledger`);
  }
  const rest = uuidsIn(folder, `${out}.rest.ndjson`).sort();
  if (rest.join() !== [...BAD].sort().join()) add(round, 'lost', `the rest file has ${rest.join(', ')}`);
  const strange = readdirSync(folder).filter(
    (name) => !/^(in\.\w+|ledger|tee\.\d+)$/.test(name) && !isOutput(name, out),
  );
  if (strange.length > 0) add(round, 'other', `left behind: ${strange.join(', ')}`);
}

function isOutput(name: string, out: string): boolean {
  return name === out || name === `${out}.rest.ndjson` || name.startsWith(`${out}.torn-`);
}

/** Record from the last stage. */
interface Passed {
  readonly uuid: string;
  readonly state: string;
}

/** Returns the records that the last stage has emitted in all runs so far. Incomplete lines do not count. */
function passedOn({ folder, runs }: Round): Passed[] {
  return Array.from({ length: runs }, (_, i) => recordsIn(folder, `tee.${i + 1}`)).flat();
}

function uuidsIn(folder: string, name: string): string[] {
  return recordsIn(folder, name).map(({ uuid }) => uuid);
}

/** Returns the records of an NDJSON file. An incomplete last line does not count. */
function recordsIn(folder: string, name: string): Passed[] {
  const path = join(folder, name);
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
  return lines.map((line) => {
    const { uuid, run } = JSON.parse(line) as { uuid: string; run?: { state: string } };
    return { uuid, state: run?.state ?? 'SUCCESS' };
  });
}
