import { quote } from 'shlex';
import { TaskpipeError } from '../../core/base/errors.ts';
import { counted } from '../../core/base/format.ts';
import { asLines, startOf } from '../../core/storage/file-kind.ts';

/** Beginnings of our lines: a crash may tear a line anywhere. */
const HEADS = ['{"uuid":"', '{"out":"'];
/** The end of one record and the beginning of the next on one line. */
const JOINED = /["\d]\}\s*,?\s*\{"/;
const COMMENT = /^\s*(?:#|\/\/)/;

/**
 * Lines of a ledger that a crash cannot cause: someone has edited or formatted the file. Comments are not counted.
 */
export class ForeignLines {
  #count = 0;
  #first: { readonly number: number; readonly message: string } | undefined;

  /**
   * Counts a line that does not belong in a ledger, unless a crash may have caused it. @param bytes start of the line
   */
  look(number: number, message: string, bytes: Buffer): void {
    if (bytes.includes(0)) return; // a hole
    const text = bytes.toString('latin1').trimStart();
    const isTorn = HEADS.some((head) => head.startsWith(text.slice(0, head.length))) && !JOINED.test(text);
    if (isTorn || COMMENT.test(text)) return;
    this.#count++;
    this.#first ??= { number, message };
  }

  /**
   * Rejects a ledger that has such lines, and no line with a uuid.
   * @throws {TaskpipeError} `DATA`
   */
  refuse(path: string, hasUuids: boolean): void {
    if (hasUuids || this.#first === undefined) return;
    const { number, message } = this.#first;
    const start = startOf(path, 'ledger').trimStart();
    const isJson = /JSON|longer/.test(message);
    throw new TaskpipeError(
      'DATA',
      `${path}:${number}: no line of this ledger has a uuid (${message}); ${isJson ? asLines(path, start) : 'each line must be a record with a "uuid"'}, or name another ledger`,
    );
  }

  /** Warning about such lines; undefined if there are none. */
  warning(path: string): string | undefined {
    if (this.#first === undefined) return undefined;
    const { number, message } = this.#first;
    return `${path}:${number}: ${message}; ${counted(this.#count, 'line')} of this ledger cannot be read, and their tasks run again; to see them all: task-done check ${quote(path)}`;
  }
}
