import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Ended } from '../../support/run.ts';
import { contentsOf as textOf } from './contents.ts';
import { breachesOf, finishedIn } from './oracle.ts';
import type { Program } from './program.ts';
import type { Breach } from './report.ts';
import { stepwise } from './stepwise.ts';
import { TRACEABLE } from './strace.ts';

/** Use of task-save that faults are tried on. */
export interface Saving {
  readonly name: string;
  readonly out: string;
  /** Options of `task-save` besides the ledger, `--flush 3` and `--tee`. */
  readonly options?: string;
  /**
   * True for `--overwrite`: the old output exists until the new one replaces it, and there is neither a
   * ledger nor a tee.
   */
  readonly isOverwritten?: boolean;
  /** True if the output has no uuid column. */
  readonly isNameless?: boolean;
  /** Records that an earlier run has saved. */
  readonly before?: readonly string[];
  /** Input: each part is one commit. */
  readonly parts: readonly string[];
}

/** Returns the line of a task that has run. */
export function line(uuid: string, state: 'SUCCESS' | 'FAILURE', more: object = {}): string {
  const run = { state, as: 'result', attempts: 1, at: '2024-01-01T00:00:00.000Z', ms: 1 };
  return `${JSON.stringify({ uuid, n: uuid.slice(1), text: `línea "${uuid}"\nzwei, drei`, ...more, run })}\n`;
}

/** Returns two successful tasks and a failed one. */
export function part(n: number, more: object = {}): string {
  const uuids = [n * 10, n * 10 + 1, n * 10 + 2].map((number) => `t${number}`) as [string, string, string];
  return line(uuids[0], 'SUCCESS', more) + line(uuids[1], 'SUCCESS', more) + line(uuids[2], 'FAILURE', more);
}

const FIRST = [part(1), part(2), part(3)];

export const SAVINGS: readonly Saving[] = [
  { name: 'first', out: 'out.csv', parts: FIRST },
  {
    name: 'append',
    out: 'out.csv',
    before: FIRST,
    // A failed task succeeds, one is saved already, and one fails again.
    parts: [line('t12', 'SUCCESS') + line('t11', 'SUCCESS') + line('t22', 'FAILURE', { again: 1 }), part(5)],
  },
  {
    name: 'widen',
    out: 'out.csv',
    options: '--widen',
    before: [part(1)],
    parts: [part(2, { more: 'x' }), part(3, { yet: { more: '"y"' } })],
  },
  { name: 'overwrite', out: 'out.csv', isOverwritten: true, before: [part(1)], parts: [part(2) + part(3)] },
  { name: 'ndjson', out: 'out.ndjson', parts: [part(1), part(2)] },
  { name: 'gzip', out: 'out.csv.gz', before: [part(1)], parts: [part(2), part(3)] },
  { name: 'zstd', out: 'out.ndjson.zst', parts: [part(1), part(2)] },
  {
    name: 'nameless',
    out: 'out.csv',
    options: '--fields n,text',
    isNameless: true,
    before: [part(4)],
    parts: [part(1), part(2)],
  },
];

/** Result of a run without a fault. */
export interface Whole {
  /** Output before and after the run. */
  readonly before: string;
  readonly text: string;
  /** Uuids that must have a row. */
  readonly rows: ReadonlySet<string>;
  /** Lines of the rest file, sorted. */
  readonly rest: readonly string[];
}

export function command({ out, options = '', isOverwritten = false }: Saving): string {
  const safe = isOverwritten ? '--overwrite' : '--ledger l.jsonl --tee --flush 3';
  return `task-save ${out} ${safe} --quiet ${options}`;
}

/** Fills `folder` as it is before the run. Returns the result that the run should have. */
export async function prepare(program: Program, saving: Saving, folder: string): Promise<Whole> {
  const { out, before = [], parts, isOverwritten = false } = saving;
  const run = (cwd: string, input: readonly string[]): Promise<Ended> =>
    stepwise(program, {
      cwd,
      command: command(saving),
      parts: isOverwritten ? [input.join('')] : input,
      env: TRACEABLE,
    });
  if (before.length > 0) await run(folder, before);
  const old = textOf(join(folder, out));
  const clean = `${folder}-clean`;
  cpSync(folder, clean, { recursive: true });
  await run(clean, parts);
  const all = isOverwritten ? parts : [...before, ...parts];
  const failed = recordsOf([...before, ...parts].join('')).filter((record) => !isGood(record));
  const newest = new Map(failed.map((record) => [record.uuid, record]));
  const rows = new Set(
    recordsOf(all.join(''))
      .filter(isGood)
      .map(({ uuid }) => uuid),
  );
  const rest = [...newest.values()].filter(({ uuid }) => !rows.has(uuid)).map(({ line }) => line);
  return { before: old, text: textOf(join(clean, out)), rows, rest: rest.sort() };
}

interface Record {
  readonly uuid: string;
  readonly n: string;
  readonly line: string;
  readonly run: { readonly state: string };
}

/** Returns the records of complete lines. */
export function recordsOf(text: string): Record[] {
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => ({ ...JSON.parse(line), line }));
}

function isGood({ run }: Record): boolean {
  return run.state === 'SUCCESS';
}

/** Returns the broken promises after a fault at any moment. */
export function breachesAfterFault(saving: Saving, whole: Whole, folder: string, label: string): Breach[] {
  const { out, isOverwritten, isNameless, options = '' } = saving;
  const text = textOf(join(folder, out));
  const breaches: Breach[] = [];
  const passed = recordsOf(textOf(join(folder, 'tee')));
  const acknowledged = passed.filter(isGood).map(({ uuid }) => uuid);
  if (!isNameless) breaches.push(...breachesOf({ folder, out, ledger: 'l.jsonl', acknowledged, label }));
  else {
    for (const { uuid, n } of passed.filter(isGood))
      if (!text.includes(`\n${n},`))
        breaches.push({ kind: 'lost', words: `${label} ${uuid} was acknowledged` });
  }
  const marked = finishedIn(join(folder, 'l.jsonl'));
  for (const uuid of acknowledged)
    if (!marked.has(uuid))
      breaches.push({ kind: 'lost', words: `${label} ${uuid} was acknowledged, not marked` });
  const rest = restOf(folder, out, ['', '.run']);
  for (const record of passed) {
    if (!isGood(record) && !whole.rows.has(record.uuid) && !rest.includes(record.line))
      breaches.push({
        kind: 'lost',
        words: `${label} ${record.uuid} was acknowledged, and is not in the rest file`,
      });
  }
  if (isOverwritten && text !== whole.before && text !== whole.text)
    breaches.push({ kind: 'torn', words: `${label} ${out} is neither the old nor the new one` });
  if (!isOverwritten && !options.includes('--widen') && !whole.text.startsWith(text))
    breaches.push({ kind: 'torn', words: `${label} ${out} is not the beginning of what it is to be` });
  return breaches;
}

/** Returns the broken promises after a complete run. */
export function breachesAtEnd(
  saving: Saving,
  whole: Whole,
  folder: string,
  run: Ended,
  label: string,
): Breach[] {
  const { out, isOverwritten, isNameless } = saving;
  const add = (kind: Breach['kind'], words: string): void =>
    void breaches.push({ kind, words: `${label} ${words}` });
  const ledger = isOverwritten ? undefined : 'l.jsonl';
  const breaches = isNameless ? [] : breachesOf({ folder, out, ledger, rows: whole.rows, label });
  if (run.code !== 1) add('exit code', `${run.code} ${run.signal ?? ''}: ${run.stderr}`);
  const text = textOf(join(folder, out));
  if (text !== whole.text)
    add('other', `${out} is not as a run without faults leaves it: ${JSON.stringify(text)}`);
  const rest = restOf(folder, out, ['']).sort();
  if (rest.join('\n') !== whole.rest.join('\n')) add('other', `the rest file is ${rest.join(' ')}`);
  if (ledger !== undefined) {
    const marked = finishedIn(join(folder, ledger));
    for (const uuid of whole.rows) if (!marked.has(uuid)) add('lost', `${uuid} is not in the ledger`);
  }
  for (const name of readdirSync(folder)) {
    if (/\.(run|new|wide)$/.test(name)) add('other', `${name} is left`);
    if (!name.includes('.torn-')) continue;
    const torn = textOf(join(folder, name));
    const isPart =
      whole.text.includes(torn) && (isNameless || !torn.endsWith('\n') || /\.(?:gz|zst)\./.test(name));
    if (!isPart) add('other', `${name} holds more than torn bytes: ${JSON.stringify(torn)}`);
  }
  return breaches;
}

function restOf(folder: string, out: string, endings: readonly string[]): string[] {
  const texts = endings.map((ending) => textOf(join(folder, `${out}.rest.ndjson${ending}`)));
  return texts.flatMap((text) => text.split('\n').slice(0, -1));
}
