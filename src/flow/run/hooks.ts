import type { Atom, AtomContext, Inputs } from '../atom.ts';
import type { CompiledAtom } from '../plan/compile.ts';
import {
  type CallContext,
  type CallLimits,
  type CallResult,
  call,
  type Failed,
  failed,
  limited,
} from './call.ts';

/** Names of the hooks of an atom, by the call that they surround. */
const HOOKS = {
  execute: ['preExecute', 'postExecute'],
  revert: ['preRevert', 'postRevert'],
} as const;

/** Names of hooks. */
type HookName = (typeof HOOKS)[keyof typeof HOOKS][number];

/**
 * Calls a function of an atom between its hooks. As in TaskFlow, the second hook runs in any case, and an error of
 * the first one keeps the function from being called. A timeout includes the hooks.
 */
export function callWithHooks(
  atom: Atom | undefined,
  what: keyof typeof HOOKS,
  { inputs, work }: { readonly inputs: Inputs; readonly work: () => unknown },
  context: CallContext,
  limits: CallLimits,
): CallResult | Promise<CallResult> {
  const [before, after] = HOOKS[what];
  if (atom?.[before] === undefined && atom?.[after] === undefined) return call(work, context, limits);
  const run = (name: HookName): Promise<Failed | undefined> => runHook(atom, name, inputs, context);
  const settled = async (): Promise<CallResult> => {
    const ended = (await run(before)) ?? (await call(work, context, { ...limits, timeout: undefined }));
    const late = await run(after);
    return late === undefined ? ended : afterwards(ended, late);
  };
  return limited(settled(), context, limits);
}

/** Calls a hook. Returns its failure; undefined if it succeeded. */
async function runHook(
  atom: Atom,
  name: HookName,
  inputs: Inputs,
  context: AtomContext,
): Promise<Failed | undefined> {
  try {
    await atom[name]?.(inputs, context);
    return undefined;
  } catch (error) {
    const { failure } = failed(error);
    return { failure: { ...failure, message: `${name}: ${failure.message}` }, error };
  }
}

/** Returns the outcome of a call whose second hook failed: the failure of the call itself comes first. */
function afterwards(ended: CallResult, late: Failed): Failed {
  if ('value' in ended) return { ...late, result: ended.value };
  const { code, message } = ended.failure;
  return { ...ended, failure: { code, message: `${message}; ${late.failure.message}` } };
}

/** Returns true if an atom or a controller has something to do when it is reverted. */
export function undoes({ atom, retry }: CompiledAtom): boolean {
  const { revert, preRevert, postRevert } = atom ?? {};
  return (revert ?? preRevert ?? postRevert ?? retry?.revert) !== undefined;
}
