import type { Failure } from '../../core/record/task.ts';
import type { RunEnd } from '../../flow/log/flow-log.ts';
import type { Compiled } from '../../flow/plan/compile.ts';
import type { Engine, FlowResult } from '../../flow/run/engine.ts';
import type { FlowSnapshot } from '../../flow/run/snapshot.ts';
import type { AtomState } from '../../flow/run/states.ts';
import type { Outcome } from '../contract.ts';

/** Number of atoms that a message names. */
const SHOWN = 50;

/**
 * Returns the outcome of a flow for its task: `REVERTED` and `REVERT_FAILURE` are distinguished from a failure.
 */
export function outcomeOf(result: FlowResult, engine: Pick<Engine, 'toJSON'>, compiled: Compiled): Outcome {
  if (result.state === 'SUSPENDED') return { state: 'PENDING' };
  const text = JSON.stringify(result.provided);
  if (result.state === 'SUCCESS') return { result: text };
  const named = namesByState(engine.toJSON(), compiled);
  return {
    ...(text === '{}' ? {} : { result: text }),
    error: errorOf(result, named),
    state: result.state === 'REVERTED' ? 'REVERTED' : 'REVERT_FAILURE',
  };
}

/** Returns the outcome of the revert of a whole flow, for the task that it is reverted for. */
export function outcomeOfRevert({ state, error }: Outcome): Outcome {
  if (state === 'PENDING') return { state };
  return state === 'REVERT_FAILURE' && error !== undefined ? { error } : {};
}

/** Returns the outcome of a run that ended earlier, from the log. */
export function outcomeOfEnd({ state, result, error }: RunEnd): Outcome {
  const kept = result === undefined ? {} : { result };
  if (state === 'SUCCESS') return kept;
  const message = 'it could not be reverted in an earlier run'; // a log of an older version has no reason
  return { ...kept, error: error ?? { code: 'ERROR', message }, state: 'REVERT_FAILURE' };
}

/** Returns the atoms in a state, the latest first: the order in which they are reverted. */
function namesByState({ atoms }: FlowSnapshot, compiled: Compiled): (state: AtomState) => string {
  const tasks = compiled.atoms.filter(({ kind }) => kind === 'task').map(({ name }) => name);
  const turnOf = (name: string): number => atoms[name]?.turn ?? 0;
  const sorted = tasks.sort((a, b) => turnOf(b) - turnOf(a));
  return (state) => listed(sorted.filter((name) => atoms[name]?.state === state)).join(', ');
}

function errorOf(
  { state, failures, revertFailures }: FlowResult,
  named: (state: AtomState) => string,
): Failure {
  const failed = Object.entries(failures);
  const stuck = Object.entries(revertFailures);
  const [reverted, standing] = [named('REVERTED'), named('SUCCESS')];
  const parts = [
    ...listed(failed.map(([name, failure]) => `"${name}" failed: ${said(failure)}`)),
    ...listed(stuck.map(([name, failure]) => `"${name}" could not be reverted: ${said(failure)}`)),
    ...(reverted === '' ? [] : [`reverted: ${reverted}`]),
    ...(standing === '' ? [] : [`not reverted: ${standing}`]),
  ];
  const [, first] = (state === 'REVERTED' ? failed : stuck)[0] ?? [];
  return { code: first?.code ?? 'ERROR', message: parts.join('; ') };
}

/** Returns a list that is cut short, with the number of the others: every failed record contains it. */
function listed(all: readonly string[]): readonly string[] {
  return all.length <= SHOWN ? all : [...all.slice(0, SHOWN), `and ${all.length - SHOWN} more`];
}

function said({ code, message }: Failure): string {
  return code === 'ERROR' ? message : `${message} (${code})`;
}
