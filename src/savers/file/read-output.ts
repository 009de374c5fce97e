import { IdSet } from '../../core/ids/index.ts';
import type { Entry, OutputHistory } from '../../ledgers/index.ts';
import type { FoundRow, Rows } from '../contract.ts';
import type { OutputFile } from './output-file.ts';
import type { RunMark } from './run-mark.ts';

/** Limit of unknown rows to keep. A crash leaves fewer; if the ledger was removed, they are read again. */
const MOST_UNKNOWN = 20_000;

/** Number of rows of a kind, and the line of the first one. */
interface Count {
  count: number;
  line: number;
}

/** Result of reading all rows of an output. */
export interface OutputScan {
  /** Uuids that have a row. */
  readonly met: IdSet;
  /** Number of them that the ledger names. */
  known: number;
  /** Rows that the ledger does not name; undefined if there are too many to keep. */
  unknown: Entry[] | undefined;
  /** Number of rows, with a uuid or without. */
  rows: number;
  readonly doubled: Count;
  readonly nameless: Count;
  /** First invalid or torn row; no row after it was read. */
  fault: FoundRow | undefined;
}

/** An output with its ledger history and run mark. */
export interface Looked {
  readonly output: OutputFile;
  readonly rows: Rows;
  readonly history: OutputHistory | undefined;
  readonly mark: RunMark | undefined;
  /** Called with the uuid of each row. */
  readonly onRow?: ((uuid: string) => void) | undefined;
}

/** Reads all rows of an output and compares them with the ledger. */
export async function look(looked: Looked): Promise<OutputScan> {
  const { output, rows } = looked;
  const found: OutputScan = {
    met: new IdSet(),
    known: 0,
    unknown: [],
    rows: 0,
    doubled: { count: 0, line: 0 },
    nameless: { count: 0, line: 0 },
    fault: undefined,
  };
  for await (const batch of rows.scan(output.chunks(rows.first))) {
    for (const row of batch) {
      if (row.fault !== undefined) found.fault = row;
      else if (isTornTail(looked, found, row))
        found.fault = { ...row, fault: 'it has no line end', damage: 'open' };
      if (found.fault !== undefined) return found;
      take(looked, found, row);
    }
  }
  return found;
}

/**
 * Returns true if a last row without a line end may be the start of a row that a crash has torn. It is not torn if
 * the ledger names it, since the ledger names only durable rows; but the ledger may mean an earlier row of the same
 * uuid.
 */
function isTornTail(
  { mark, history }: Looked,
  { met }: OutputScan,
  { isOpen, start, uuid }: FoundRow,
): boolean {
  if (isOpen !== true || mark === undefined || start < mark.size) return false;
  return uuid === undefined || met.has(uuid) || history?.saved.has(uuid) !== true;
}

function take({ history, onRow }: Looked, found: OutputScan, { uuid, end, line }: FoundRow): void {
  found.rows++;
  if (uuid !== undefined) onRow?.(uuid);
  if (uuid === undefined) count(found.nameless, line);
  else if (!found.met.add(uuid)) count(found.doubled, line);
  else if (history?.saved.has(uuid)) found.known++;
  else if (history !== undefined) {
    found.unknown?.push({ uuid, end });
    if ((found.unknown?.length ?? 0) > MOST_UNKNOWN) found.unknown = undefined;
  }
}

function count(rows: Count, line: number): void {
  if (rows.count++ === 0) rows.line = line;
}
