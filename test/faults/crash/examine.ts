import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { breachesOf, finishedIn, rowsOf } from '../support/oracle.ts';
import type { Breach } from '../support/report.ts';
import type { Case } from './cases.ts';
import type { Files } from './disk.ts';
import { filesIn, keyOf, writeFiles } from './folder.ts';
import { isFailed, linesOf, uuidsOf } from './records.ts';
import type { Scenario } from './scenarios.ts';
import type { Starter } from './starts.ts';

/** Records that must exist after the recovery. */
interface Expected {
  /** Uuids that must have a row. */
  readonly rows: ReadonlySet<string>;
  /** Uuids that must be in the rest file. */
  readonly failed: readonly string[];
}

type Add = (kind: Breach['kind'], words: string) => void;

/**
 * Checks a state, starts from it twice, and checks again.
 * @param start starter for the first run
 * @param again starter for the second run
 */
export async function examine(
  state: Case,
  start: Starter,
  again: Starter,
  folder: string,
): Promise<readonly Breach[]> {
  const { scenario, words: label } = state;
  const { out, ledger, before = [], records } = scenario;
  const all = [...before, ...records];
  const rows = new Set(uuidsOf(all.filter((line) => !isFailed(line))));
  const failed = uuidsOf(all).filter((uuid) => !rows.has(uuid));
  const breaches: Breach[] = [];
  const add: Add = (kind, words) => void breaches.push({ kind, words: `${label} ${words}` });
  const begin = async (by: Starter): Promise<void> => {
    const { code, words } = await by(folder, scenario);
    if (code !== (records.some(isFailed) ? 1 : 0)) add('exit code', `${code}: ${words}`);
  };

  writeFiles(folder, state.files);
  // The oracle considers a last row without a line end torn.
  if (!scenario.isOpen) breaches.push(...lookBefore(state, folder, add));
  await begin(start);
  breaches.push(...breachesOf({ folder, out, ledger, rows, label }));
  lookAfter(state, folder, { rows, failed }, add);
  const files = filesIn(folder);
  await begin(again);
  if (keyOf(files, 0) !== keyOf(filesIn(folder), 0)) add('other', 'another run changed something');
  return breaches;
}

/** Checks that every acknowledged record exists, whatever the crash has left. */
function lookBefore(
  { scenario, acknowledged, words: label }: Case,
  folder: string,
  add: Add,
): readonly Breach[] {
  const { out, ledger } = scenario;
  const left = new Set([...restIn(folder, out), ...rowsOf(join(folder, out)).uuids]);
  for (const uuid of uuidsOf(acknowledged.filter(isFailed))) {
    if (!left.has(uuid)) add('lost', `${uuid} was acknowledged, and is in no rest file`);
  }
  const safe = uuidsOf(acknowledged.filter((line) => !isFailed(line)));
  return breachesOf({ folder, out, ledger, acknowledged: safe, label });
}

/**
 * Checks what the oracle does not: the ledger is complete, the rest file is exact, and bytes that were cut
 * off are kept.
 */
function lookAfter({ scenario, files }: Case, folder: string, { rows, failed }: Expected, add: Add): void {
  const { out, ledger } = scenario;
  const finished = ledger === undefined ? rows : finishedIn(join(folder, ledger));
  for (const uuid of rows) {
    if (!finished.has(uuid)) add('other', `${uuid} has a row, and is not in the ledger`);
  }
  const rest = join(folder, `${out}.rest.ndjson`);
  const kept = existsSync(rest) ? uuidsOf(linesOf(readFileSync(rest, 'utf8'))) : [];
  if (kept.sort().join() !== [...failed].sort().join()) add('other', `the rest file has ${kept.join()}`);
  for (const words of sideFaults(files, filesIn(folder), scenario)) add('other', words);
}

/** Returns the uuids of the records in the rest file and in the rest file of the run, without torn lines. */
function restIn(folder: string, out: string): readonly string[] {
  return ['', '.run'].flatMap((ending) => {
    const path = join(folder, `${out}.rest.ndjson${ending}`);
    if (!existsSync(path)) return [];
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
    return uuidsOf(lines.filter((line) => line !== '' && !line.includes('\0')));
  });
}

/**
 * Yields errors in the side file, which must hold exactly the bytes that were cut off, and in the list of
 * files.
 */
function* sideFaults(before: Files, after: Files, { out, ledger, widen }: Scenario): Generator<string> {
  const was = before.get(out) ?? Buffer.alloc(0);
  const is = after.get(out) ?? Buffer.alloc(0);
  const usual = [out, ledger, `${out}.rest.ndjson`, ...before.keys()];
  const added = [...after].filter(([name]) => !before.has(name) && name.startsWith(`${out}.torn-`));
  for (const name of after.keys()) {
    const isTemporary = /\.(new|run|wide)$/.test(name);
    if (isTemporary || !(usual.includes(name) || added.some(([side]) => side === name)))
      yield `${name} is left`;
  }
  for (const [name, bytes] of before) {
    if (name.includes('.torn-') && after.get(name)?.equals(bytes) !== true) yield `${name} has changed`;
  }
  const [side = Buffer.alloc(0)] = added.map(([, bytes]) => bytes);
  if (added.length > 1) yield `there are ${added.length} side files`;
  if (!side.equals(was.subarray(was.length - side.length))) yield 'the side file is not what was cut off';
  const kept = was.subarray(0, was.length - side.length);
  if (!widen && !is.subarray(0, kept.length).equals(kept))
    yield 'rows were changed, or lost without a side file';
}
