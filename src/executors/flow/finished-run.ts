/*
 * Finished runs that are reverted as a whole, later and in another process. The values that the atoms provided are
 * known at that point; the flow log keeps all else that reverts need.
 */
import { put } from '../../flow/named.ts';
import type { Compiled } from '../../flow/plan/compile.ts';
import type { Provision } from '../../flow/plan/provision.ts';
import { type AtomRecord, type KeptAtoms, Storage } from '../../flow/run/atom-storage.ts';
import { undoes } from '../../flow/run/hooks.ts';

/** Facts about a flow that determine which data a revert of a finished run needs. */
interface RevertPlan {
  /** True if the revert of an atom or a controller does anything. */
  readonly isRevertible: boolean;
  /** Atoms and controllers whose revert needs more than the provided values. */
  readonly unrecorded: readonly number[];
  /** True if deciders may leave atoms out. */
  readonly hasDeciders: boolean;
}

const plans = new WeakMap<Compiled, RevertPlan>();

/** Returns the plan of a flow, from a cache. */
export function revertPlanOf(compiled: Compiled): RevertPlan {
  let plan = plans.get(compiled);
  if (plan === undefined) {
    plan = planOf(compiled);
    plans.set(compiled, plan);
  }
  return plan;
}

function planOf({ atoms }: Compiled): RevertPlan {
  const providers = new Map<string, number>();
  for (const { provisions } of atoms)
    for (const { name } of provisions) providers.set(name, (providers.get(name) ?? 0) + 1);
  const isShared = ({ name }: Provision): boolean => (providers.get(name) ?? 0) > 1;
  const hasDeciders = atoms.some(({ gates }) => gates.length > 0);
  const unrecorded = atoms.flatMap((compiled, index) => {
    const { atom, retry, provisions } = compiled;
    // With deciders, a result also shows that the atom was not left out.
    const needsResult = atom?.revert !== undefined || (hasDeciders && undoes(compiled));
    const isLost = needsResult && !provisions.some(isWhole);
    return isLost || retry?.revert !== undefined || provisions.some(isShared) ? [index] : [];
  });
  return { isRevertible: atoms.some(undoes), unrecorded, hasDeciders };
}

function isWhole({ key, index }: Provision): boolean {
  return key === undefined && index === undefined;
}

/**
 * Returns the data of a successful run that a log must keep for a later revert; undefined if the revert does nothing.
 */
export function keptAtoms({ compiled, records }: Storage): KeptAtoms | undefined {
  const { isRevertible, unrecorded, hasDeciders } = revertPlanOf(compiled);
  if (!isRevertible) return undefined;
  const kept: Record<string, Partial<AtomRecord>> = {};
  for (const index of unrecorded) {
    const { result, history } = records[index] as AtomRecord;
    const more = { ...(result !== undefined && { result }), ...(history && { history }) };
    if (Object.keys(more).length > 0) put(kept, compiled.atoms[index]?.name as string, more);
  }
  if (!hasDeciders) return kept;
  for (const [index, { state }] of records.entries())
    if (state === 'IGNORE') put(kept, compiled.atoms[index]?.name as string, { state });
  return kept;
}

/**
 * Rebuilds a run that succeeded, set to be reverted.
 * @param provided values that its atoms provide, by name
 * @param kept as of `keptAtoms()`; undefined if only the values are known. An atom that a decider may leave out then
 *   counts as left out if none of its values is there.
 */
export function finishedRun(
  compiled: Compiled,
  provided: Readonly<Record<string, unknown>>,
  kept: KeptAtoms | undefined,
): Storage {
  const storage = new Storage(compiled);
  const { hasDeciders } = revertPlanOf(compiled);
  for (const [index, { name, kind, provisions }] of compiled.atoms.entries()) {
    const known = kept !== undefined && Object.hasOwn(kept, name) ? kept[name] : undefined;
    const isMissing = !provisions.some((provision) => Object.hasOwn(provided, provision.name));
    const isLeftOut = kept === undefined && hasDeciders && isMissing;
    const isKept = known !== undefined && Object.hasOwn(known, 'result');
    const result = isKept ? known.result : resultOf(provisions, provided);
    storage.restore(index, {
      state: known?.state ?? (isLeftOut ? 'IGNORE' : 'SUCCESS'),
      intention: 'REVERT',
      turn: index + 1,
      ...(result === undefined ? {} : { result }),
      ...(kind === 'retry' ? { history: known?.history ?? [{ result, failures: {} }] } : {}),
    });
  }
  storage.recount();
  return storage;
}

/** Returns the name of the first value that a revert needs and that is missing, if no decider can have left it out. */
export function missingResult(
  compiled: Compiled,
  provided: Readonly<Record<string, unknown>>,
): string | undefined {
  if (revertPlanOf(compiled).hasDeciders) return undefined;
  const needed = compiled.atoms.filter(({ atom }) => atom?.revert !== undefined);
  const names = needed.flatMap(({ provisions }) => provisions.filter(isWhole).map(({ name }) => name));
  return names.find((name) => !Object.hasOwn(provided, name));
}

/** Returns a result with the same values as that of the run. */
function resultOf(provisions: readonly Provision[], provided: Readonly<Record<string, unknown>>): unknown {
  const given = provisions.filter(({ name }) => Object.hasOwn(provided, name));
  const [whole] = given.filter(isWhole);
  if (whole !== undefined || given.length === 0) return whole && provided[whole.name];
  const isList = given.every(({ key }) => key === undefined);
  const result: unknown = isList ? [] : {};
  for (const { name, key, index } of given)
    put(result as Record<string, unknown>, String(isList ? index : key), provided[name]);
  return result;
}

/** Sets all atoms of a run to be reverted, even if the run did not finish. */
export function toBeReverted(storage: Storage): Storage {
  for (const record of storage.records) record.intention = 'REVERT';
  storage.recount();
  return storage;
}

/** Returns true if a run has anything to revert. */
export function isStanding({ records }: Storage): boolean {
  return records.some(({ state }) => state !== 'PENDING' && state !== 'IGNORE' && state !== 'REVERTED');
}
