import { messageOf } from '../../../core/base/errors.ts';
import { compileExpression } from '../../../core/options/jmespath-option.ts';
import type { Task } from '../../../core/record/task.ts';
import { rawMember } from '../../../core/record/template.ts';
import { loadJmespath } from '../response/jmespath.ts';
import { type Mismatch, type Paired, pairItems } from './pair-items.ts';

/** Function that returns the items of an answer for the tasks of its batch. */
export type FindItems = (json: string, tasks: readonly Task[]) => Paired | Mismatch;

/** Expression that is only a path of names: its value keeps its digits. */
const PATH = /^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*$/;

/** Returns the JSON text of the value at a path, as in JMESPath: `null` if there is none. */
function textAt(json: string, path: readonly string[]): string {
  let text: string | undefined = json;
  for (const name of path) text = text?.startsWith('{') ? rawMember(text, name) : undefined;
  return text ?? 'null';
}

/**
 * Returns the function that finds the items of answers.
 * @param expression JMESPath that leads to them. Default: they are the answer itself
 * @throws {TaskpipeError} `USAGE` if the expression is invalid
 */
export async function openItems(expression: string | undefined): Promise<FindItems> {
  if (expression === undefined) return pairItems;
  if (PATH.test(expression)) return (json, tasks) => pairItems(textAt(json, expression.split('.')), tasks);
  const library = await loadJmespath();
  const compiled = compileExpression(library, '--batch-answer', expression);
  const { TreeInterpreter } = library;
  return (json, tasks) => {
    try {
      const found = TreeInterpreter.search(compiled, JSON.parse(json));
      return pairItems(JSON.stringify(found ?? null), tasks);
    } catch (error) {
      return { fault: `--batch-answer: ${messageOf(error)}` };
    }
  };
}
