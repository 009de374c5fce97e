import { userJson } from '../../core/base/user-json.ts';
import { HALF, uuidOfAttributes } from '../../core/ids/index.ts';
import { runOf, Task, uuidFault } from '../../core/record/task.ts';
import { isOver, MAX_LINE } from '../../core/text/lines.ts';
import type { Child } from '../contract.ts';

/** Options of an added task. */
export interface AddOptions {
  /** True to run it before all waiting tasks. Default false. */
  readonly front?: boolean | undefined;
  /** True to run it even if its uuid was seen or is finished. Default false. */
  readonly again?: boolean | undefined;
  /** Uuid of the task that adds it: one of the batch, which must succeed. Required with `--batch`. */
  readonly parent?: string | undefined;
}

/** Function that chooses the uuid of an added task. */
export type TaskId = (task: Readonly<Record<string, unknown>>) => string;

/**
 * Returns the task of some attributes. Its uuid is its own, else what `taskId` returns, else the one that
 * `task-load` gives a record of these attributes.
 * @param parent uuid of the task that adds it
 * @throws {TypeError} if it cannot be a task
 */
export function childOf(
  attributes: unknown,
  parent: string,
  { front = false, again = false }: AddOptions,
  taskId: TaskId | undefined,
): Child {
  if (typeof attributes !== 'object' || attributes === null || Array.isArray(attributes))
    throw new TypeError('ctx.add takes an object, the attributes of a task');
  const clean = withoutOurs(attributes as Readonly<Record<string, unknown>>);
  const { text = '', fault: part } = userJson(clean);
  if (part !== undefined) throw new TypeError(`ctx.add takes a task that is JSON; it has ${part}`);
  if (isOver(text, MAX_LINE)) throw new TypeError('ctx.add takes a task of at most 16 MiB');
  const { uuid: own, ...others } = clean;
  const uuid = own ?? taskId?.(clean) ?? uuidOfAttributes(others);
  const fault = uuid === undefined ? HALF : uuidFault(uuid);
  if (fault !== undefined) throw new TypeError(`ctx.add takes a task with a good uuid: ${fault}`);
  // The uuid of the parent was probably copied by mistake. But a uuid made of the values may equal it: a page may link
  // to itself.
  if (clean.uuid === parent && !again)
    throw new TypeError('ctx.add was given the uuid of the task itself; omit it, or pass { again: true }');
  const line = JSON.stringify({ ...clean, uuid });
  return { task: new Task(uuid as string, line), front, again };
}

/** Returns the attributes without what an executor added to the record that they were copied from. */
function withoutOurs(attributes: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const run = runOf(attributes);
  const { run: _, result: __, ...clean }: Record<string, unknown> = attributes;
  if (run !== undefined) delete clean[run.as];
  return { uuid: undefined, ...clean };
}
