/** A column of a task, with the JSON text between the previous value and its own. */
export interface Column {
  readonly index: number;
  readonly before: string;
  readonly bytes: Buffer;
  /** Hash of its name. */
  readonly hash: number;
}

/** Columns of a table, which all its rows share. */
export interface Columns {
  readonly names: readonly string[];
  /** Cells of the header; undefined if the file has none. */
  readonly header: readonly string[] | undefined;
  readonly indexes: ReadonlyMap<string, number>;
  /** Index of the `uuid`. */
  readonly uuid: number | undefined;
  /** Columns of a task except the `uuid`, in order. */
  readonly kept: readonly Column[];
  /** Columns of a task that a checksum covers. Rows with the same uuid have the same values in the others. */
  readonly compared: readonly Column[];
  /** Columns except the `uuid`, in the order of the canonical text, which a uuid is made of by default. */
  readonly sorted: readonly Column[];
}
