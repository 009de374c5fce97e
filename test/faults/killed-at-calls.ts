import { cpSync, mkdirSync, mkdtempSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import pMap from 'p-map';
import { type Ended, freshFolder, sh } from '../support/run.ts';
import type { Program } from './support/program.ts';
import type { Breach, Report } from './support/report.ts';
import {
  breachesAfterFault,
  breachesAtEnd,
  command,
  prepare,
  SAVINGS,
  type Saving,
  type Whole,
} from './support/saving.ts';
import { stepwise } from './support/stepwise.ts';
import { type Point, pointsIn, TRACEABLE, tracing } from './support/strace.ts';

/** Folder before a run that is killed at every call. */
interface State {
  readonly name: string;
  readonly saving: Saving;
  readonly whole: Whole;
  /** Folder that contains the folder of the state and its copies. */
  readonly base: string;
  readonly folder: string;
  /** Input of the run. */
  readonly parts: readonly string[];
}

/** Call at which a run is killed. */
type Kill = Point & { readonly when: number };

/** State after a kill, from which a recovery starts that is killed too. */
interface Left {
  readonly saving: string;
  readonly kill: Kill;
  /** Number of bytes that are cut off a file: a power loss, or a kill during the call, loses them. */
  readonly torn?: { readonly file: string; readonly bytes: number };
}

const LEFT: readonly Left[] = [
  {
    saving: 'first',
    kill: { call: 'write', file: 'l.jsonl', when: 3 },
    torn: { file: 'out.csv', bytes: 9 },
  },
  {
    saving: 'first',
    kill: { call: 'fdatasync', file: 'l.jsonl', when: 4 },
    torn: { file: 'l.jsonl', bytes: 30 },
  },
  {
    saving: 'append',
    kill: { call: 'fdatasync', file: 'out.csv.rest.ndjson.run', when: 2 },
    torn: { file: 'out.csv.rest.ndjson.run', bytes: 12 },
  },
  { saving: 'widen', kill: { call: 'write', file: 'l.jsonl', when: 3 } },
  {
    saving: 'nameless',
    kill: { call: 'write', file: 'l.jsonl', when: 2 },
    torn: { file: 'out.csv', bytes: 5 },
  },
];

/** Selection for builds with a mistake. Default: all. */
export interface KillAmount {
  readonly savings?: readonly string[];
  /** Only file whose calls are interrupted by a kill. */
  readonly file?: string;
  /** True to kill recoveries too. */
  readonly recoveries?: boolean;
}

/**
 * Kills `task-save` at each call that changes a file, one call per run, then runs it to its end. Does the
 * same with the recovery after a kill.
 */
export async function killedAtCalls(
  program: Program,
  { savings = SAVINGS.map(({ name }) => name), file: only, recoveries = true }: KillAmount = {},
): Promise<Report> {
  const breaches: Breach[] = [];
  let kills = 0;
  const killAll = async (state: State): Promise<void> => {
    const points = await pointsOf(program, state);
    const injections = points
      .filter(({ file }) => only === undefined || file === only)
      .flatMap(({ call, file, count }) =>
        Array.from({ length: count }, (_, i) => ({ call, file, when: i + 1 })),
      );
    const found = await pMap(injections, (kill) => killOnce(program, state, kill), { concurrency: 3 });
    kills += injections.length;
    breaches.push(...found.flat());
  };
  for (const saving of SAVINGS.filter(({ name }) => savings.includes(name))) {
    const state = await stateOf(program, saving);
    await killAll(state);
    if (!recoveries) continue;
    for (const [n, left] of LEFT.entries())
      if (left.saving === state.name) await killAll(await leave(program, state, left, n));
  }
  return { figures: { kills }, breaches };
}

async function stateOf(program: Program, saving: Saving): Promise<State> {
  const base = freshFolder();
  const folder = join(base, 'before');
  mkdirSync(folder);
  const whole = await prepare(program, saving, folder);
  return { name: saving.name, saving, whole, base, folder, parts: saving.parts };
}

/** Returns the state after a kill. The recovery from it receives no input. */
async function leave(program: Program, state: State, { kill, torn }: Left, n: number): Promise<State> {
  const name = `${state.name}, left by a kill at ${wordsOf(kill)}${torn ? `, ${torn.bytes} bytes less in ${torn.file}` : ''}`;
  const folder = join(state.base, `left-${n}`);
  const { isKilled, stderr } = await runKilled(program, state, kill, folder);
  if (!isKilled) throw new Error(`${name}: it was not killed: ${stderr}`);
  if (torn !== undefined) {
    const path = join(folder, torn.file);
    truncateSync(path, statSync(path).size - torn.bytes);
  }
  return { ...state, name, folder, parts: [] };
}

async function pointsOf(program: Program, state: State): Promise<ReturnType<typeof pointsIn>> {
  const folder = join(mkdtempSync(join(state.base, 'traced-')), 'in');
  const trace = `${folder}.trace`;
  cpSync(state.folder, folder, { recursive: true });
  await run(program, { ...state, folder }, tracing(folder, trace));
  return pointsIn(folder, trace);
}

/** Kills a run at one call, checks its folder, runs the command to its end, and checks again. */
async function killOnce(program: Program, state: State, kill: Kill): Promise<Breach[]> {
  const { saving, whole } = state;
  const label = `${state.name}, killed at ${wordsOf(kill)}:`;
  const folder = join(mkdtempSync(join(state.base, 'killed-')), 'in');
  const { isKilled } = await runKilled(program, state, kill, folder);
  if (!isKilled) return [{ kind: 'other', words: `${label} it was not reached` }];
  const breaches = breachesAfterFault(saving, whole, folder, label);
  const again = await sh(command(saving), { cwd: folder, env: program.env, input: saving.parts.join('') });
  breaches.push(...breachesAtEnd(saving, whole, folder, again, `${label} the run after it:`));
  return breaches;
}

function wordsOf({ call, file, when }: Kill): string {
  return `${call} ${file} #${when}`;
}

/** Copies the folder of a state to `folder` and runs it there with an injection. */
async function runKilled(
  program: Program,
  state: State,
  kill: Kill,
  folder: string,
): Promise<Ended & { isKilled: boolean }> {
  cpSync(state.folder, folder, { recursive: true });
  const end = await run(
    program,
    { ...state, folder },
    tracing(folder, `${folder}.trace`, { ...kill, how: 'signal=KILL' }),
  );
  return { ...end, isKilled: end.code === 137 || end.signal === 'SIGKILL' };
}

function run(program: Program, { saving, parts, folder }: State, prefix: string): Promise<Ended> {
  return stepwise(program, { cwd: folder, command: `${prefix} ${command(saving)}`, parts, env: TRACEABLE });
}
