import type { Task } from '../../core/record/task.ts';
import type { Misfit } from '../contract.ts';
import { copyCell, type TargetColumn } from './postgres-cells.ts';
import type { CopyRows } from './postgres-rows.ts';
import type { TargetTable } from './target-table.ts';
import type { UuidCheck } from './uuid-column.ts';

/** Escapes that jsonb cannot hold: NUL, and halves of surrogate pairs. */
const ESCAPED = /\\u(?:0000|d[89a-f])/i;
const HALF = /\\u0000|\\ud[89ab][\da-f]{2}(?!\\ud[c-f])|(?<!\\ud[89ab][\da-f]{2})\\ud[c-f]/i;

/** Encoder of rows of whole records (`--jsonb`). */
export class RecordRows implements CopyRows {
  readonly columns: readonly TargetColumn[];
  readonly version = 0;
  readonly written = undefined;
  readonly #place: string;

  readonly #uuidFault: UuidCheck;

  constructor(place: string, { columns, uuidFault }: TargetTable) {
    this.#place = place;
    this.columns = columns;
    this.#uuidFault = uuidFault;
  }

  adopt(): void {}

  encode({ uuid, line }: Task): string | Misfit {
    const fault = this.#uuidFault(uuid);
    if (fault !== undefined) return { code: 'VALUE', message: `${this.#place}: ${fault}`, columns: [] };
    if (ESCAPED.test(line) && HALF.test(line.replaceAll('\\\\', '')))
      return {
        code: 'VALUE',
        message: `${this.#place}: a value has a NUL or half of a surrogate pair, which jsonb cannot hold; leave --jsonb out`,
        columns: [],
      };
    return `${copyCell(uuid)}\t${copyCell(line)}\n`;
  }
}
