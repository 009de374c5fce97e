import { IdSet } from '../core/ids/index.ts';
import type { Destination, FormatOptions, OpenRows, Rows } from './contract.ts';

/**
 * Returns the standard output as a destination. Its rows are never durable.
 * @param write resolves when more may be written
 */
export async function openStream(
  openRows: OpenRows,
  options: FormatOptions,
  write: (text: string) => Promise<void>,
): Promise<Destination> {
  const rows = (await openRows((async function* () {})(), options)) as Rows;
  return {
    saved: new IdSet(),
    isFresh: true,
    writesLedger: false,
    isUnmarked: () => false,
    encode: (task) => rows.encode(task),
    takes: (task) => rows.takes?.(task) === true,
    missingColumns: () => [],
    get unusedFields() {
      return rows.unusedFields;
    },
    get form() {
      return rows.form;
    },
    commit: ({ rows }) => write(rows.toString()),
    widen: async () => {},
    finish: async () => true,
    close: async () => {},
  };
}
