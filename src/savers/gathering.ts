import type { Misfit } from './contract.ts';

/** The batch that gathers while the previous one is committed. */
export interface Gathering {
  /** Rows not yet encoded. Empty if there is a `run`. */
  text: string;
  /** Neighbouring rows that are written already, but not yet in `rows`. */
  run: { readonly rows: Buffer; readonly from: number; before: number } | undefined;
  /** Buffer of encoded rows, which take less memory than text. */
  rows: Buffer;
  /** Number of bytes used in `rows`. */
  bytes: number;
  rowCount: number;
  uuids: string[];
  /**
   * End of the row of each uuid: in `rows` for the first `encoded` ones, else in `text`; -1 if it has none
   * here.
   */
  ends: number[];
  encoded: number;
  /** True if `tee` has a record that already had a row. */
  hasPresent: boolean;
  /** Records of the rows, if the destination may refuse rows, and the refusals by index. */
  lines: string[];
  refused: Map<number, Misfit>;
  rest: string;
  tee: string;
  records: number;
  /** Approximate size of the batch, in characters. */
  size: number;
}

/** Returns an empty batch. @param rows buffer to use for its rows */
export function gathering(rows: Buffer): Gathering {
  return {
    text: '',
    run: undefined,
    rows,
    bytes: 0,
    rowCount: 0,
    uuids: [],
    ends: [],
    encoded: 0,
    hasPresent: false,
    lines: [],
    refused: new Map(),
    rest: '',
    tee: '',
    records: 0,
    size: 0,
  };
}

/** Makes room for more bytes of rows. */
function grow(batch: Gathering, length: number): void {
  if (batch.bytes + length <= batch.rows.length) return;
  const rows = Buffer.allocUnsafeSlow(2 * (batch.bytes + length));
  batch.rows.copy(rows, 0, 0, batch.bytes);
  batch.rows = rows;
}

/** Moves all rows to the buffer: encodes those that are still text, and turns their ends into byte offsets. */
export function encode(batch: Gathering): void {
  const { text, ends, bytes: from, run } = batch;
  if (run !== undefined) {
    grow(batch, run.before - run.from);
    batch.bytes += run.rows.copy(batch.rows, from, run.from, run.before);
    batch.run = undefined;
    return;
  }
  const length = Buffer.byteLength(text);
  const isAscii = length === text.length;
  grow(batch, length);
  batch.rows.write(text, from, isAscii ? 'latin1' : 'utf8');
  let [read, place] = [0, from];
  for (let i = batch.encoded; i < ends.length; i++) {
    const end = ends[i] as number;
    if (end < 0) continue;
    place = isAscii ? from + end : place + Buffer.byteLength(text.slice(read, end));
    read = end;
    ends[i] = place;
  }
  batch.bytes += length;
  batch.text = '';
  batch.encoded = ends.length;
}
