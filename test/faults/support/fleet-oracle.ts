import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Size } from '../../../src/queues/index.ts';
import type { Notes } from './live.ts';
import { rowsOf } from './oracle.ts';

/*
 * Promises about machines that share a queue: their outputs, the runs that their modules wrote down, and the tasks that
 * the queue calls finished.
 */

/** Files that machines have left. */
export interface FleetRemains {
  readonly folder: string;
  /** Names of the machines. Each has an output `NAME.csv`, and a list of its runs, `NAME.runs`. */
  readonly names: readonly string[];
  /** Machines that were killed and never started again: their output may end in the middle of a row. */
  readonly lost: ReadonlySet<string>;
  /** The uuids that the queue calls finished. They were read before the outputs are. */
  readonly finished: readonly string[];
  readonly notes: Notes;
}

/** Expected state when the queue is empty. */
export interface FleetEnd {
  readonly pushed: readonly string[];
  /** Tasks that must be dead, and have no row. */
  readonly guilty: readonly string[];
  readonly size: Omit<Size, 'workers'>;
  /** Maximum number of repeated runs. */
  readonly allowed: number;
}

/** Checks that each finished task has a row, which must hold at any time. */
export function checkFinished(remains: FleetRemains): void {
  const rows = countsIn(remains, '.csv', (path) => rowsOf(path).uuids);
  const lies = remains.finished.filter((uuid) => !rows.has(uuid));
  for (const uuid of lies) remains.notes.add('false ledger line', `${uuid} is finished, and has no row`);
}

/**
 * Checks that each task has a row, several of them only if it was run as often, and that no more runs were repeats than the
 * faults explain.
 */
export function checkEnd(remains: FleetRemains, { pushed, guilty, size, allowed }: FleetEnd): void {
  const { notes, lost } = remains;
  checkFinished(remains);
  const bad = new Set(guilty);
  const healthy = pushed.filter((uuid) => !bad.has(uuid));
  const rows = countsIn(remains, '.csv', (path, name) => {
    const { uuids, isWhole } = rowsOf(path);
    if (!isWhole && !lost.has(name)) notes.add('torn', `the output of ${name} does not end whole`);
    const doubles = uuids.length - new Set(uuids).size;
    if (doubles > 0) notes.add('double', `${doubles} rows in the output of ${name}`);
    return uuids;
  });
  const runs = countsIn(remains, '.runs', (path) => readFileSync(path, 'utf8').split('\n').filter(Boolean));
  for (const uuid of healthy) if (!rows.has(uuid)) notes.add('lost', `${uuid} has no row`);
  const known = new Set(healthy);
  for (const [uuid, count] of rows) {
    const ran = runs.get(uuid) ?? 0;
    if (!known.has(uuid)) notes.add('other', `${uuid} has a row, and should not`);
    if (count > ran) notes.add('double', `${uuid} was run ${ran} times, and has ${count} rows`);
  }
  const again = healthy.reduce((sum, uuid) => sum + Math.max(0, (runs.get(uuid) ?? 0) - 1), 0);
  if (again > allowed) notes.add('double', `${again} runs were repeats, and at most ${allowed} may be`);
  const { length: finished } = healthy;
  const wanted = { waiting: 0, delayed: 0, active: 0, dead: bad.size, finished, paused: false };
  if (JSON.stringify(size) !== JSON.stringify(wanted))
    notes.add('other', `in the end: ${JSON.stringify(size)}, and not ${JSON.stringify(wanted)}`);
  const finishedThere = new Set(remains.finished);
  const unfinished = healthy.filter((uuid) => !finishedThere.has(uuid));
  if (unfinished.length > 0) notes.add('other', `not finished in the end: ${unfinished.join(' ')}`);
}

/** Returns the number of times that each uuid is in the files of all machines. */
function countsIn(
  { folder, names }: FleetRemains,
  extension: string,
  read: (path: string, name: string) => readonly string[],
): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) {
    const path = join(folder, `${name}${extension}`);
    if (!existsSync(path)) continue;
    for (const uuid of read(path, name)) counts.set(uuid, (counts.get(uuid) ?? 0) + 1);
  }
  return counts;
}
