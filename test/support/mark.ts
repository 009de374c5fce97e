import { existsSync, statSync, writeFileSync } from 'node:fs';

/**
 * Leaves the mark of a run that was killed: what is appended to the output after this, the run had written.
 * @param hasUuid whether the rows have a uuid
 */
export function leaveMark(out: string, hasUuid = true): void {
  const size = existsSync(out) ? statSync(out).size : 0;
  writeFileSync(`${out}.run`, `${JSON.stringify({ taskpipe: 'run', size, open: false, uuids: hasUuid })}\n`);
}
