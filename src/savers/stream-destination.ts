import { IdSet } from '../core/ids/id-set.ts';
import type { Destination, FormatOptions, OpenRows, Rows } from './contract.ts';

/**
 * The standard output as a destination: its rows are never known to be safe.
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
    marks: false,
    isUnmarked: () => false,
    encode: (task) => rows.encode(task),
    lackedBy: () => [],
    get unmet() {
      return rows.unmet;
    },
    commit: ({ rows }) => write(rows.toString()),
    widen: async () => {},
    finish: async () => true,
    close: async () => {},
  };
}
