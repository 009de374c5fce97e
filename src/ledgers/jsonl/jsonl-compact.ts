import { closeSync, openSync } from 'node:fs';
import { ioError, systemCode } from '../../core/base/errors.ts';
import { IdMap, IdSet } from '../../core/ids/index.ts';
import { replaceFile, resolved } from '../../core/storage/durable.ts';
import { openLocked } from '../../core/storage/lock.ts';
import type { Seal } from '../contract.ts';
import { type Fast, knownLine, type LedgerLine, uuidFound } from './jsonl-line.ts';
import { type LedgerVisitor, scanChunks, scanLedger } from './jsonl-scan.ts';
import { VerifiedEnd } from './verified-end.ts';

/** Locks a ledger exclusively while `work` runs. Returns `otherwise` if the ledger does not exist. */
async function alone<T>(
  path: string,
  warn: (message: string) => void,
  otherwise: T,
  work: () => Promise<T>,
): Promise<T> {
  let fd: number;
  try {
    const busy = `${path} is being written by another task; try again when it has ended`;
    fd = openLocked(path, () => openSync(path, 'r+'), 'exclusive', busy, warn);
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
export async function clearLedger(path: string, warn: (message: string) => void): Promise<void> {
  await alone(path, warn, undefined, () => replace(path, (async function* () {})()));
}

/**
 * Removes lines that no longer count, and torn and foreign lines. Keeps one line per uuid, or one for each output
 * with its row, because each output needs its own line. A uuid that was taken back and has a row keeps several lines:
 * those that name the row, and the one that takes the uuid back.
 * @returns number of lines before and after
 * @throws {TaskpipeError} `LOCKED` if another process writes
 */
export function compactLedger(
  path: string,
  warn: (message: string) => void,
): Promise<{ before: number; after: number }> {
  return alone(path, warn, { before: 0, after: 0 }, async () => {
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

/** Places of the last lines of each uuid. */
class Census implements LedgerVisitor {
  lines = 0;
  /** Last line of each uuid that does not name a row: finished or undone. */
  readonly #plain = new IdMap();
  /** By output, the last line of each uuid with a row in it. */
  readonly #placed = new Map<string, IdMap>();
  readonly #withOut = new IdSet();
  /** Known end of each output. */
  readonly known = new Map<string, VerifiedEnd>();
  /** Seals of the outputs without later lines. */
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

  bad(_: number, __: string, hasGap: boolean): void {
    this.lines++;
    this.seals.clear();
    if (hasGap) for (const known of this.known.values()) known.gap();
  }

  /** Removes the row of a uuid from an output. */
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
    // Earlier lines about the uuid without an output no longer count.
    this.#plain.delete(uuid);
  }

  #knownOf(out: string): VerifiedEnd {
    const known = this.known.get(out) ?? new VerifiedEnd();
    this.known.set(out, known);
    return known;
  }

  keeps(uuid: string, undone: boolean, out: string | undefined, place: number): boolean {
    if (out !== undefined && !undone) return this.#placed.get(out)?.get(uuid) === place;
    // The line of its row finishes a uuid; it needs another line only if it was taken back.
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
    knownLine(out, census.known.get(out)?.verified ?? 0, at, census.seals.get(out)).trimEnd();
  // A seal must come after the lines of the rows.
  let kept = [...census.known.keys()].filter((out) => !census.seals.has(out)).map(knownOf);
  // Compaction drops the hole itself. Without it, an end past the hole would claim that the lost lines are
  // known.
  const keep = (text: string, out: string | undefined, end: number): void => {
    const isUnsure = out !== undefined && end > (census.known.get(out)?.verified ?? end);
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
