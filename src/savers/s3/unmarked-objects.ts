import pMap from 'p-map';
import { TaskpipeError } from '../../core/base/errors.ts';
import { counted } from '../../core/base/format.ts';
import { escapeControls } from '../../core/base/terminal-text.ts';
import { CONNECTIONS } from '../../core/s3/s3-bucket.ts';
import type { DestinationOptions } from '../contract.ts';
import type { TaskObjects } from './task-objects.ts';

/** Uuids of objects that the ledger does not name. */
interface Unmarked {
  /** Those that the ledger may get: those of failures count only with `all`, as records do. */
  readonly finished: readonly string[];
  /** Those whose object is not the record of its task, so that the task runs again. */
  readonly foreign: readonly string[];
}

/**
 * Reads the objects that the ledger does not name: those of a run that was killed before it marked them.
 * @throws {TaskpipeError} `IO`; `DATA` if one is not the record of its task, unless edits are accepted
 */
export async function readUnmarked(
  uuids: readonly string[],
  objects: TaskObjects,
  { all, acceptEdits, warn }: DestinationOptions,
): Promise<Unmarked> {
  const [finished, foreign] = [[] as string[], [] as string[]];
  let first = '';
  const read = async (uuid: string): Promise<void> => {
    const found = await objects.read(uuid);
    if (found === undefined) return; // it was removed after it was listed
    if ('fault' in found) {
      if (foreign.push(uuid) === 1) first = escapeControls(`${objects.placeOf(uuid)} (${found.fault})`);
    } else if (all || found.state === 'SUCCESS') finished.push(uuid);
  };
  await pMap(uuids, read, { concurrency: CONNECTIONS });
  const count = foreign.length;
  if (count === 0) return { finished, foreign };
  const what =
    count === 1
      ? `${first}: the object is not the record of its task`
      : `${first}: this object and ${counted(count - 1, 'other')} are not the records of their tasks`;
  const next = count === 1 ? 'the task runs' : 'the tasks run';
  if (!acceptEdits)
    throw new TaskpipeError(
      'DATA',
      `${what}. Remove it or put the record back; or add --accept-edits: ${next} again, and the record replaces the object; or save to another place`,
    );
  warn(`${what}, which was accepted: ${next} again, and the record replaces the object`);
  return { finished, foreign };
}
