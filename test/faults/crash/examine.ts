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

/** What must come of all that a scenario saves. */
interface Expected {
  /** The uuids that have a row. */
  readonly rows: ReadonlySet<string>;
  /** The uuids in the rest file. */
  readonly failed: readonly string[];
}

type Add = (kind: Breach['kind'], words: string) => void;

/**
 * Looks at a state, starts from it twice, and looks again.
 * @param start for the first time
 * @param again for the second time
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
  // The oracle takes a last row without a line end for torn.
  if (!scenario.isOpen) breaches.push(...lookBefore(state, folder, add));
  await begin(start);
  breaches.push(...breachesOf({ folder, out, ledger, rows, label }));
  lookAfter(state, folder, { rows, failed }, add);
  const files = filesIn(folder);
  await begin(again);
  if (keyOf(files, 0) !== keyOf(filesIn(folder), 0)) add('other', 'another run changed something');
  return breaches;
}

/** What was said to be safe is there, whatever a crash has left. */
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

/** What the oracle does not look at: the ledger is complete, the rest file exact, and what was cut off is kept. */
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

/** The uuids of the records in a rest file and in that of a run, without the lines that a crash has torn. */
function restIn(folder: string, out: string): readonly string[] {
  return ['', '.run'].flatMap((ending) => {
    const path = join(folder, `${out}.rest.ndjson${ending}`);
    if (!existsSync(path)) return [];
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
    return uuidsOf(lines.filter((line) => line !== '' && !line.includes('\0')));
  });
}

/** What is wrong with what was cut off the output, and with the files that are there at the end. */
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
