import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fuzzedText, type Random } from './fuzz.ts';
import { compare, difference, linesIn, type Ran } from './fuzz-run.ts';
import {
  isUuid,
  type Judged,
  judgeLines,
  judgeLoaded,
  judgeNamed,
  judgeTask,
  oursOf,
  own,
  recordOf,
  stateOf,
} from './judge.ts';
import { finishedIn } from './oracle.ts';
import type { Breach } from './report.ts';

/** Tools of a trial. */
export interface Fuzzing {
  readonly random: Random;
  /** Returns a line of NDJSON before its mutation. */
  readonly make: (n: number) => string;
  /** Runs a command on a text, in a fresh folder if `cwd` is missing. */
  run(command: string, input: Buffer, cwd?: string): Promise<Ran>;
  breach(words: string, kind?: Breach['kind']): void;
}

/** Function that tries a stage with this many lines. It returns the peak memory in MB. */
export type Trial = (fuzzing: Fuzzing, count: number) => Promise<number>;

/** Number of lines for each mutated one. */
const ONE_IN = 4;

function textOf({ random, make }: Fuzzing, count: number): Buffer {
  return fuzzedText(count, random, ONE_IN, make);
}

/** Returns the members of a record except these keys, as JSON. */
function without(fields: Judged['fields'], keys: ReadonlySet<string> | undefined): string {
  return JSON.stringify(Object.entries(fields).filter(([key]) => key !== 'uuid' && !keys?.has(key)));
}

export const load: Trial = async (fuzzing, count) => {
  const input = textOf(fuzzing, count);
  const ran = await fuzzing.run('task-load --format ndjson --duplicates keep', input);
  compare(ran, judgeLines(input, judgeLoaded), fuzzing.breach, (line, { uuid, text, fields }) => {
    const ours = oursOf(fields);
    const isClean = [...(ours ?? [])].every((key) => !Object.hasOwn(fields, key));
    if (uuid !== '' && isClean) return line === text; // byte for byte
    const task = recordOf(line)?.fields ?? {};
    if (uuid === '' ? !isUuid(own(task, 'uuid')) : own(task, 'uuid') !== uuid) return false;
    return isClean ? line.endsWith(text.slice(1).trimStart()) : without(task, ours) === without(fields, ours);
  });
  return ran.megabytes;
};

const RUN: ReadonlySet<string> = new Set(['run', 'result']);

/** Returns whether an executor changed only the members that belong to it. */
function isExecuted(line: string, { text, fields }: Judged, states: readonly string[]): boolean {
  const state = stateOf(fields);
  if (state !== undefined && state !== 'SUCCESS' && state !== 'PENDING') return line === text; // it had failed
  const done = recordOf(line)?.fields ?? {};
  if (!states.includes(String(stateOf(done)))) return false;
  const isClean = !Object.hasOwn(fields, 'run') && !Object.hasOwn(fields, 'result');
  return isClean ? line.startsWith(`${text.slice(0, -1)},`) : without(done, RUN) === without(fields, RUN);
}

/**
 * Returns a trial of task-exec.
 * @param options options for the kind of work
 * @param states states that a task may end in
 */
export const exec =
  (options: string, states: readonly string[]): Trial =>
  async (fuzzing, count) => {
    const input = textOf(fuzzing, count);
    const ran = await fuzzing.run(`task-exec --http --keep-order ${options}`, input);
    const judged = judgeLines(input, judgeTask);
    compare(ran, judged, fuzzing.breach, (line, from) => isExecuted(line, from, states));
    return ran.megabytes;
  };

/** Tries `mark`, then `only` and `skip` with the ledger that it wrote. */
export const done: Trial = async (fuzzing, count) => {
  const { breach } = fuzzing;
  const input = textOf(fuzzing, count);
  const judged = judgeLines(input, judgeNamed);
  const ran = await fuzzing.run('task-done mark l.jsonl', input);
  compare(ran, judged, breach, (line, from) => line === from.line);
  const finished = finishedIn(join(ran.cwd, 'l.jsonl'));
  const isGood = ({ kind, fields }: Judged): boolean =>
    kind === 'good' && ['SUCCESS', undefined].includes(stateOf(fields));
  const marked = new Set(judged.filter(isGood).map(({ uuid }) => uuid));
  const other = difference([...finished].sort(), [...marked].sort());
  if (other !== undefined) breach(`of the uuids in the ledger, ${other}`, 'false ledger line');
  for (const verb of ['only', 'skip']) {
    const isPassed = ({ kind, uuid }: Judged): boolean =>
      kind !== 'good' || marked.has(uuid) === (verb === 'only');
    const sifted = await fuzzing.run(`task-done ${verb} l.jsonl`, input, ran.cwd);
    compare(sifted, blanked(judged, isPassed), breach, (line, from) => line === from.line);
  }
  return ran.megabytes;
};

/** Returns the lines with those that do not pass as blank ones, so that the others keep their numbers. */
function blanked(judged: readonly Judged[], isPassed: (one: Judged) => boolean): Judged[] {
  return judged.map((one) => (isPassed(one) ? one : { ...one, kind: 'blank' }));
}

/** Returns a line of a ledger before its mutation. */
function ledgerLine({ random, make }: Fuzzing, n: number): string {
  const at = '"at":"2026-01-02T03:04:05.678Z"';
  const uuid = `task-${random.below(n + 1)}`;
  switch (random.below(6)) {
    case 0:
      return `{"uuid":"${uuid}","undone":true,${at}}`;
    case 1:
      return `{"uuid":"${uuid}",${at},"out":"out.csv","end":${n * 10}}`;
    case 2:
      return random.below(4) === 0 ? make(n) : `{"out":"out.csv","end":${n},${at}}`;
    default:
      return `{"uuid":"${uuid}",${at}}`;
  }
}

/** Members of a ledger line that records how far an output is verified. */
const PLACE_KEYS: ReadonlySet<string> = new Set(['out', 'end', 'at', 'undone', 'rows', 'uuids', 'stamp']);

/** Tries a ledger full of torn and foreign lines. Each is counted, and the others keep their meaning. */
export const ledger: Trial = async (fuzzing, count) => {
  const { random, run, breach } = fuzzing;
  const text = fuzzedText(count, random, ONE_IN, (n) => ledgerLine(fuzzing, n));
  const finished = new Set<string>();
  const undone = new Set<string>();
  let lines = 0;
  let bad = 0;
  for (const { kind, fields } of judgeLines(text, (line) => ({
    kind: 'good',
    ...(recordOf(line, ANY) ?? FOREIGN),
  }))) {
    if (kind === 'blank') continue;
    lines++;
    const [uuid, end, out] = [own(fields, 'uuid'), own(fields, 'end'), own(fields, 'out')];
    // Other names mean that the mutation changed the name of the uuid.
    const isPlace =
      uuid === undefined &&
      typeof out === 'string' &&
      Number.isSafeInteger(end) &&
      Number(end) >= 0 &&
      Object.keys(fields).every((key) => PLACE_KEYS.has(key));
    if (kind === 'bad' || (!isUuid(uuid) && !isPlace)) bad++;
    if (kind === 'bad' || !isUuid(uuid)) continue;
    const isUndone = own(fields, 'undone') === true;
    (isUndone ? undone : finished).add(uuid);
    (isUndone ? finished : undone).delete(uuid);
  }
  const number = (value: number): string => value.toLocaleString('en-US');
  const wanted = `${number(lines)} lines, ${number(finished.size)} finished, ${number(undone.size)} undone, ${number(bad)} torn or foreign`;
  const ran = await run('cp in l.jsonl; task-done check l.jsonl', text);
  if (!ran.stderr.includes(wanted)) breach(`check says ${ran.stderr.slice(-200)}, and not ${wanted}`);
  const listed = await run('task-done list l.jsonl', text, ran.cwd);
  const other = difference([...listed.lines].sort(), [...finished].sort());
  if (other !== undefined) breach(`of the listed uuids, ${other}`);
  await run('task-done compact l.jsonl', text, ran.cwd);
  const after = finishedIn(join(ran.cwd, 'l.jsonl'));
  const changed = difference([...after].sort(), [...finished].sort());
  if (changed !== undefined) breach(`after compact, of the finished uuids ${changed}`);
  if (
    linesIn(readFileSync(join(ran.cwd, 'l.jsonl'), 'utf8')).some((line) => recordOf(line, ANY) === undefined)
  )
    breach('compact left a bad line');
  return ran.megabytes;
};

/** Depth limit for ledger lines: none. Our lines are flat, and the depth of foreign ones does not matter. */
const ANY = Number.POSITIVE_INFINITY;
const FOREIGN = { kind: 'bad' } as const;
