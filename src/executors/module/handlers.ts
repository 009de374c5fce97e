import { TaskpipeError } from '../../core/base/errors.ts';
import { attribute, type Failure, type Fields, type Task } from '../../core/record/task.ts';
import type { TaskId } from './added-tasks.ts';
import type { ModuleContext } from './module-context.ts';

/** Module function: its return value is the result, as JSON; if it throws, the task becomes a FAILURE. */
export type Handler = (task: Fields, context: ModuleContext) => unknown;

/** Functions of a module. */
export interface Handlers {
  /** Returns the function for a task, or the failure if there is none. */
  of(fields: Fields): Handler | Failure;
  /** Returns a text that is the same for tasks of the same function, or the failure if there is none. */
  keyOf(task: Task): string | Failure;
  readonly taskId: TaskId | undefined;
}

/** Exports with a special meaning, which a record cannot name. */
const OWN: readonly string[] = ['default', 'revert', 'taskId'];

/**
 * Finds the functions of a module: with `revert` its export of that name; else its default export, or the
 * export that the attribute `handler` of a record names.
 * @throws {TaskpipeError} `USAGE` if the module lacks the export
 */
export function handlersOf(
  exports: Readonly<Record<string, unknown>>,
  file: string,
  revert: boolean,
): Handlers {
  const own = (name: string): unknown => (Object.hasOwn(exports, name) ? exports[name] : undefined);
  const functionOf = (name: string): Handler | undefined => {
    const value = own(name);
    return typeof value === 'function' ? (value as Handler) : undefined;
  };
  const taskId = functionOf('taskId') as TaskId | undefined;
  if (revert) {
    const undo = functionOf('revert');
    if (undo === undefined) throw needs(file, 'export a function named revert, for --revert');
    return { of: () => undo, keyOf: () => '', taskId };
  }
  const usual = functionOf('default');
  const named = Object.keys(exports).filter((name) => !OWN.includes(name) && functionOf(name) !== undefined);
  if (usual === undefined && named.length === 0)
    throw needs(file, 'export a function: export default async (task, ctx) => result');
  const of = (fields: Fields): Handler | Failure => {
    const name = attribute(fields, 'handler');
    if (name === undefined || name === null || name === '')
      return usual ?? lacking('no "handler", which a module without a default export needs', named);
    const found = typeof name === 'string' && named.includes(name) ? functionOf(name) : undefined;
    return found ?? lacking(`the handler ${JSON.stringify(name)}`, named, usual);
  };
  const keyOf = (task: Task): string | Failure => {
    if (usual !== undefined && !task.has('handler')) return '';
    const found = of(task.fields);
    return typeof found === 'function' ? String(attribute(task.fields, 'handler') ?? '') : found;
  };
  return { of, keyOf, taskId };
}

function needs(file: string, what: string): TaskpipeError {
  return new TaskpipeError('USAGE', `--module ${file} must ${what}`);
}

function lacking(what: string, named: readonly string[], usual?: Handler): Failure {
  const there = [...(usual === undefined ? [] : ['the default export']), ...named].join(', ');
  return { code: 'HANDLER', message: `the record has ${what}; the module has ${there}` };
}
