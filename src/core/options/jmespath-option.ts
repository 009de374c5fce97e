import { messageOf, TaskpipeError } from '../base/errors.ts';

/** Library of JMESPath, which is loaded on demand. */
type Jmespath = Pick<typeof import('@jmespath-community/jmespath'), 'compile' | 'TreeInterpreter'>;

export type CompiledExpression = ReturnType<Jmespath['compile']>;

/**
 * Compiles the JMESPath expression of an option. The library itself finds a function that does not exist, or that has too
 * many or too few arguments, only when it is called: for each record.
 * @param option name of the option, as in `--next`
 * @throws {TaskpipeError} `USAGE` if the expression is invalid
 */
export function compileExpression(
  { compile, TreeInterpreter }: Jmespath,
  option: string,
  typed: string,
  rule = 'must be a JMESPath expression',
): CompiledExpression {
  try {
    const compiled = compile(typed);
    for (const call of callsIn(compiled)) checkCall(TreeInterpreter, call);
    return compiled;
  } catch (error) {
    const message = `${option} ${rule}; got ${JSON.stringify(typed)}: ${messageOf(error)}`;
    throw new TaskpipeError('USAGE', message, { cause: error });
  }
}

interface FunctionCall {
  readonly type: 'Function';
  readonly name: string;
  readonly children: readonly unknown[];
}

/** Returns the function calls of a syntax tree. */
function callsIn(tree: unknown): FunctionCall[] {
  if (typeof tree !== 'object' || tree === null) return [];
  const { type, value } = tree as { readonly type?: unknown; readonly value?: unknown };
  // The value of a literal is data.
  const parts = type === 'Literal' ? [] : Object.values(tree).flatMap(callsIn);
  return type === 'Function' && value === undefined ? [tree as FunctionCall, ...parts] : parts;
}

/**
 * Calls a function with dummy arguments: the library checks its name and the number of arguments before their
 * types.
 */
function checkCall(interpreter: Jmespath['TreeInterpreter'], { name, children }: FunctionCall): void {
  const call = { type: 'Function', name, children: children.map(() => ({ type: 'Current' })) };
  try {
    interpreter.search(call as unknown as CompiledExpression, null);
  } catch (error) {
    if (/^(?:Unknown function|Invalid arity)/i.test(messageOf(error))) throw error;
  }
}
