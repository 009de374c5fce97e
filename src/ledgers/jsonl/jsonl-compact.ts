import { closeSync, openSync } from 'node:fs';
import { ioError, systemCode } from '../../core/base/errors.ts';
import { IdMap } from '../../core/ids/id-map.ts';
import { IdSet } from '../../core/ids/id-set.ts';
import { replaceFile, resolved } from '../../core/storage/durable.ts';
import { openLocked } from '../../core/storage/lock.ts';
import type { Seal } from '../contract.ts';
import { type Fast, knownLine, type LedgerLine, uuidFound } from './jsonl-line.ts';
import { type LedgerVisitor, scanChunks, scanLedger } from './jsonl-scan.ts';
import { VerifiedEnd } from './verified-end.ts';

/** Holds a ledger alone while `work` runs. A ledger that does not exist is left so. */
async function alone<T>(
  path: string,
  say: (message: string) => void,
  otherwise: T,
  work: () => Promise<T>,
): Promise<T> {
  let fd: number;
  try {
    const busy = `${path} is being written by another task; try again when it has ended`;
    fd = openLocked(path, () => openSync(path, 'r+'), 'exclusive', busy, say);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return otherwise;
    throw ioError('cannot open the ledger', path, error);
  }
  try {
    return await work();
  } finally {
    closeSync(fd);
  }
}

async function replace(path: string, lines: AsyncIterable<Buffer>): Promise<void> {
  try {
    await replaceFile(resolved(path), lines);
  } catch (error) {
    throw ioError('cannot write the ledger', path, error);
  }
}

/** Forgets everything. @throws {TaskpipeError} `LOCKED` if another process writes */
export async function clearLedger(path: string, say: (message: string) => void): Promise<void> {
  await alone(path, say, undefined, () => replace(path, (async function* () {})()));
}

/**
 * Leaves out what no longer counts. One line a uuid is left; more where its row is in several outputs, as each of
 * them needs its own to know the row. For the same reason a uuid that was taken back leaves a line where it has a
 * row. Torn and foreign lines are left out.
 * @returns how many lines there were, and are
 * @throws {TaskpipeError} `LOCKED` if another process writes
 */
export function compactLedger(
  path: string,
  say: (message: string) => void,
): Promise<{ before: number; after: number }> {
  return alone(path, say, { before: 0, after: 0 }, async () => {
    const census = new Census();
    await scanLedger(path, census);
    let after = 0;
    await replace(
      path,
      survivors(path, census, (count) => {
        after += count;
      }),
    );
    return { before: census.lines, after };
  });
}

/** Where the last lines of each uuid are. */
class Census implements LedgerVisitor {
  lines = 0;
  /** The last line of each uuid that has one without an `out`: finished or undone. */
  readonly #plain = new IdMap();
  /** By output, the last line of each uuid that is in it. */
  readonly #placed = new Map<string, IdMap>();
  readonly #withOut = new IdSet();
  /** How far each output is known. */
  readonly known = new Map<string, VerifiedEnd>();
  /** Outputs of which the ledger says nothing after their seal. */
  readonly seals = new Map<string, Seal>();

  fast(bytes: Buffer, found: Fast, out: string, place: number): void {
    this.lines++;
    const uuid = uuidFound(bytes, found);
    if (found.end < 0) {
      this.#plain.set(uuid, place);
      return;
    }
    this.#place(uuid, out, place);
    this.#knownOf(out).row(found.end);
    this.seals.delete(out);
  }

  line({ uuid, undone, out, end, seal }: LedgerLine, place: number): void {
    this.lines++;
    if (out !== undefined && end !== undefined) {
      const known = this.#knownOf(out);
      uuid === undefined ? known.all(end) : known.row(end);
    }
    if (out !== undefined) seal === undefined ? this.seals.delete(out) : this.seals.set(out, seal);
    if (uuid === undefined) return;
    if (out === undefined) this.#plain.set(uuid, place);
    else if (undone) this.#remove(uuid, out, place);
    else this.#place(uuid, out, place);
  }

  bad(_: number, __: string, hasHole: boolean): void {
    this.lines++;
    this.seals.clear();
    if (hasHole) for (const known of this.known.values()) known.hole();
  }

  /** The row of a uuid is no longer in an output. */
  #remove(uuid: string, out: string, place: number): void {
    this.#placed.get(out)?.delete(uuid);
    if (![...this.#placed.values()].some((places) => places.has(uuid))) this.#withOut.delete(uuid);
    this.#plain.set(uuid, place);
  }

  #place(uuid: string, out: string, place: number): void {
    let places = this.#placed.get(out);
    if (places === undefined) {
      places = new IdMap();
      this.#placed.set(out, places);
    }
    places.set(uuid, place);
    this.#withOut.add(uuid);
    // What was said of it before, without an output, no longer counts.
    this.#plain.delete(uuid);
  }

  #knownOf(out: string): VerifiedEnd {
    const known = this.known.get(out) ?? new VerifiedEnd();
    this.known.set(out, known);
    return known;
  }

  keeps(uuid: string, undone: boolean, out: string | undefined, place: number): boolean {
    if (out !== undefined && !undone) return this.#placed.get(out)?.get(uuid) === place;
    // A uuid with a row is finished by that line, and needs another one only to be taken back.
    return this.#plain.get(uuid) === place && undone === this.#withOut.has(uuid);
  }
}

async function* survivors(
  path: string,
  census: Census,
  count: (lines: number) => void,
): AsyncGenerator<Buffer> {
  const at = new Date().toISOString();
  const knownOf = (out: string): string =>
    knownLine(out, census.known.get(out)?.named ?? 0, at, census.seals.get(out)).trimEnd();
  // A seal must come after the rows.
  let kept = [...census.known.keys()].filter((out) => !census.seals.has(out)).map(knownOf);
  // Past a hole an end would say that what the hole has swallowed is known, and the hole itself is left out.
  const keep = (text: string, out: string | undefined, end: number): void => {
    const isUnsure = out !== undefined && end > (census.known.get(out)?.named ?? end);
    kept.push(isUnsure ? text.replace(/,"end":\d+\}$/, '}') : text);
  };
  const chunks = scanChunks(path, {
    fast(bytes, found, out, place) {
      const uuid = uuidFound(bytes, found);
      if (!census.keeps(uuid, false, found.end < 0 ? undefined : out, place)) return;
      const line = bytes.subarray(found.from - '{"uuid":"'.length, bytes.indexOf(10, found.to));
      keep(line.toString(), out, found.end);
    },
    line(line, place, text) {
      const { uuid, undone, out, end = -1 } = line;
      if (uuid !== undefined && census.keeps(uuid, undone, out, place)) keep(text, out, end);
    },
  });
  for await (const _ of chunks) {
    count(kept.length);
    if (kept.length > 0) yield Buffer.from(`${kept.join('\n')}\n`);
    kept = [];
  }
  for (const out of census.seals.keys()) {
    count(1);
    yield Buffer.from(`${knownOf(out)}\n`);
  }
}
