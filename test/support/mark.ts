import { existsSync, statSync, writeFileSync } from 'node:fs';

/**
 * Leaves the mark of a killed run: a run has written everything that is appended to the output after this.
 * @param hasUuid whether the rows have a uuid
 */
export function leaveMark(out: string, hasUuid = true): void {
  const size = existsSync(out) ? statSync(out).size : 0;
  writeFileSync(`${out}.run`, `${JSON.stringify({ taskpipe: 'run', size, open: false, uuids: hasUuid })}\n`);
}
