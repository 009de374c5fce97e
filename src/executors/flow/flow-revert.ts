import { TaskpipeError } from '../../core/base/errors.ts';
import { attribute, runOf, type Task } from '../../core/record/task.ts';
import type { KeptFlow, RunEnd } from '../../flow/log/flow-log.ts';
import type { Compiled } from '../../flow/plan/compile.ts';
import type { Storage } from '../../flow/run/atom-storage.ts';
import { replay } from '../../flow/run/snapshot.ts';
import type { Outcome } from '../contract.ts';
import { finishedRun, isStanding, missingResult, revertPlanOf, toBeReverted } from './finished-run.ts';
import { outcomeOfEnd } from './flow-outcome.ts';

/** Failures of a flow before its first atom. */
const NOT_BEGUN: readonly unknown[] = ['INPUT', 'FLOW'];

/** Run to revert, or the outcome if there is nothing to revert or a revert is impossible. */
export type ToRevert = { readonly storage: Storage } | { readonly outcome: Outcome };

/** Sources of a run that is reverted. */
export interface RevertSource {
  /** Key of the result of the flow in the record. */
  readonly as: string;
  readonly hasLog: boolean;
  /** Run in the log, if it has one. */
  readonly kept: KeptFlow | undefined;
}

/**
 * Checks that a flow can be reverted with the data that will be available.
 * @throws {TaskpipeError} `USAGE` if nothing in it reverts, or if it needs a log
 */
export function checkRevert(compiled: Compiled, hasLog: boolean): void {
  if (!revertPlanOf(compiled).isRevertible)
    throw new TaskpipeError(
      'USAGE',
      `--revert needs a flow with reverts; no atom of "${compiled.name}" has one`,
    );
  const lost = hasLog ? undefined : lostResults(compiled);
  if (lost !== undefined)
    throw new TaskpipeError('USAGE', `--revert of the flow "${compiled.name}": ${lost}`);
}

/** Returns the reason the results in a record are not enough; undefined if they are. */
function lostResults(compiled: Compiled): string | undefined {
  const { unrecorded } = revertPlanOf(compiled);
  if (unrecorded.length === 0) return undefined;
  const names = unrecorded.map((index) => `"${compiled.atoms[index]?.name}"`).join(', ');
  return `a record does not have the result of ${names}; give the --flow-log that the flow ran with, or give each result its own name with provides`;
}

/** Returns the run of a task that failed in a later stage, set to be reverted. */
export function toRevert(task: Task, compiled: Compiled, { as, hasLog, kept }: RevertSource): ToRevert {
  const run = runOf(task.fields);
  if (run?.as === as && run.state === 'REVERTED') return { outcome: {} }; // it reverted itself
  if (kept !== undefined && 'changes' in kept) return standing(toBeReverted(replay(compiled, kept.changes)));
  if (kept !== undefined) return fromEnd(compiled, kept.end);
  if (run?.as === as && NOT_BEGUN.includes(run.error?.code)) return { outcome: {} };
  if (hasLog)
    return noResults(
      `the flow log has no run of "${compiled.name}" for it; give the --flow-log that it ran with`,
    );
  const lost = lostResults(compiled);
  if (lost !== undefined) return noResults(lost);
  return fromRecord(compiled, as, attribute(task.fields, as));
}

/** Returns the run of the values in a record. */
function fromRecord(compiled: Compiled, as: string, result: unknown): ToRevert {
  const hint = 'give the --flow-log that it ran with, or the --as of its result';
  if (typeof result !== 'object' || result === null || Array.isArray(result))
    return noResults(`its "${as}" is not the result of a flow; ${hint}`);
  const provided = result as Readonly<Record<string, unknown>>;
  const missing = missingResult(compiled, provided);
  if (missing !== undefined) return noResults(`its "${as}" has no "${missing}"; ${hint}`);
  const storage = finishedRun(compiled, provided, undefined);
  return isStanding(storage) ? { storage } : noResults(`its "${as}" has no value of the flow; ${hint}`);
}

function fromEnd(compiled: Compiled, end: RunEnd): ToRevert {
  if (end.state === 'REVERTED') return { outcome: {} };
  if (end.state !== 'SUCCESS') return { outcome: outcomeOfEnd(end) };
  const lost = end.atoms === undefined ? lostResults(compiled) : undefined;
  if (lost !== undefined) return noResults(`the flow log is of an older version: ${lost}`);
  const provided = JSON.parse(end.result ?? '{}') as Readonly<Record<string, unknown>>;
  return standing(finishedRun(compiled, provided, end.atoms));
}

function standing(storage: Storage): ToRevert {
  return isStanding(storage) ? { storage } : { outcome: {} };
}

function noResults(message: string): ToRevert {
  return { outcome: { error: { code: 'NO_RESULTS', message } } };
}
