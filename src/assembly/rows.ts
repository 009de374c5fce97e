/*
 * Module of the build, `dist/rows.wasm`: readers of CSV and NDJSON that write the lines of tasks, and a writer of tasks as
 * rows of CSV. All addresses are in bytes.
 */

/** Names of the addresses and sizes for the host. */
export {
  CELLS as cellsAt,
  ENDS as endsAt,
  INPUT as inputAt,
  INPUT_SIZE as inputSize,
  KINDS as kindsAt,
  LINES as linesAt,
  MOST_COLUMNS as mostColumns,
  NAME as nameAt,
  OUTPUT as outputAt,
  SUMS as sumsAt,
  TABLES as tablesAt,
  TABLES_SIZE as tablesSize,
  UUIDS as uuidsAt,
} from './layout';
export {
  added,
  end,
  firstQuote,
  isCut,
  nextLine,
  read,
  setColumns,
  setTable,
  setUuidColumn,
} from './load/csv-rows';
export { readRecords, recordsEnd, setFields } from './load/json-rows';
export { linesEnd, setRowForm, writeRows } from './save/csv-cells';
export { NODE as nodeSize, setTree } from './save/find-cells';
