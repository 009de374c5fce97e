import { closeSync, existsSync, fstatSync, openSync } from 'node:fs';
import { ioError } from '../../core/base/errors.ts';
import { checkOptions } from '../../core/options/library-options.ts';
import { mustBeWhole } from '../../core/options/option.ts';
import { syncFolder } from '../../core/storage/durable.ts';
import { assertOwnFile, beginWithHeader } from '../../core/storage/file-kind.ts';
import { openLocked } from '../../core/storage/lock.ts';
import { type FlowLog, JsonlFlowLog } from './flow-log-file.ts';
import { FINAL, readFlowLog } from './flow-log-read.ts';
import { RunEnds } from './run-ends.ts';

export type { FlowLog, KeptFlow, RunEnd } from './flow-log-file.ts';

export interface FlowLogOptions {
  /** Size in bytes from which a log that is written is compacted. Default 64 MB. */
  readonly compactAt?: number | undefined;
  /** True to revert finished runs, except those that were reverted already. Default false. */
  readonly isForRevert?: boolean | undefined;
}

const MB = 1 << 20;

/**
 * Opens a log: append-only JSONL with one line for each change, and one for the end of each run. It is compacted when
 * it is opened, if more than half of it and more than 1 MB is no longer needed, and again whenever it has doubled
 * since and has reached `compactAt`. It then has one line for each run that ended for good, and the lines of runs
 * that have not ended.
 * @param warn writes a message for the user
 * @throws {TaskpipeError} `IO`; `LOCKED` if another process has it open; `USAGE` or `DATA` if it is not a
 *   file, or not a flow log
 */
export async function openFlowLog(
  path: string,
  warn: (message: string) => void,
  options: FlowLogOptions = {},
): Promise<FlowLog> {
  checkOptions('openFlowLog()', options, {}, { compactAt: true, isForRevert: true });
  const { compactAt = 64 * MB, isForRevert = false } = options;
  mustBeWhole('compactAt', compactAt, 1);
  let fd: number;
  try {
    assertOwnFile(path, 'flow log');
    const isNew = !existsSync(path);
    const hint = isForRevert ? 'revert when it has ended' : 'give each its own --flow-log';
    const busy = `${path} is in use by another process; ${hint}`;
    fd = openLocked(path, () => openSync(path, 'a+', 0o666), 'exclusive', busy, warn);
    if (isNew) syncFolder(path);
    beginWithHeader(path, fd, 'flow log');
  } catch (error) {
    throw ioError('cannot open the flow log', path, error);
  }
  const ends = new RunEnds();
  try {
    const finals = isForRevert ? [...FINAL, 'REVERTED'] : FINAL;
    const { changes, needed } = await readFlowLog(path, ends, finals);
    const log = new JsonlFlowLog({ path, fd, ends, changes, finals }, compactAt, warn);
    const { size } = fstatSync(fd);
    if (size - needed > Math.min(MB, compactAt) && size > 2 * needed) await log.compact();
    return log;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}
