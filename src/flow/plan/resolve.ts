import type { Failure } from '../../core/record/task.ts';
import type { Decision } from '../retry.ts';
import type { DecisionChange, Storage } from '../run/atom-storage.ts';
import type { CompiledAtom } from './compile.ts';

/** Function that asks a retry controller what to do. */
export type Ask = (controller: number) => Promise<Decision>;

interface Resolution {
  readonly decision: Decision;
  /** Controller of the flow that the decision concerns; undefined if it concerns everything. */
  readonly retry?: number;
}

/** Decision for an atom that no retry controller covers. */
const BY_DEFAULT: Resolution = { decision: 'REVERT_ALL' };

/**
 * Decides what to do with a flow after an atom failed. It asks the nearest controller first. If that says
 * `REVERT`, it asks the next one outwards, as TaskFlow's completer does.
 * @returns undefined if the nearest controller is itself being reverted; then there is nothing to decide
 */
export async function resolve(
  storage: Storage,
  failed: number,
  ask: Ask,
): Promise<DecisionChange | undefined> {
  const { atoms } = storage.compiled;
  const failure = storage.record(failed).failure as Failure;
  const asked: number[] = [];

  async function decide(index: number): Promise<Resolution | undefined> {
    const { name, controller } = atoms[index] as CompiledAtom;
    if (controller < 0) return BY_DEFAULT;
    if (storage.record(controller).state === 'IGNORE') return decide(controller); // the atom was left out by a decider
    if (storage.record(controller).intention === 'REVERT') return undefined;
    asked.push(controller);
    storage.noteFailure(controller, name, failure);
    const decision = await ask(controller);
    if (decision === 'RETRY') return { decision, retry: controller };
    if (decision === 'REVERT_ALL') return { decision };
    const around = await decide(controller);
    const isOverruled = around !== undefined && around !== BY_DEFAULT && around.decision !== 'REVERT';
    return isOverruled ? around : { decision, retry: controller };
  }

  const resolution = await decide(failed);
  if (resolution === undefined) return undefined;
  const nameOf = (index: number): string => (atoms[index] as CompiledAtom).name;
  return {
    decision: resolution.decision,
    failed: nameOf(failed),
    asked: asked.map(nameOf),
    ...(resolution.retry === undefined ? {} : { retry: nameOf(resolution.retry) }),
  };
}
