import { messageOf } from '../../../core/base/errors.ts';
import { compileExpression } from '../../../core/options/jmespath-option.ts';
import { elementsOf, membersOf } from '../../../core/record/json-text.ts';
import type { Task } from '../../../core/record/task.ts';
import { loadJmespath } from '../response/jmespath.ts';

/** Function that returns the items of an answer for the tasks of its batch, as JSON texts; undefined for one that has none. */
export type FindItems = (
  json: string,
  tasks: readonly Task[],
) => readonly (string | undefined)[] | { readonly fault: string };

/**
 * Returns the function that finds the items of answers.
 * @param expression JMESPath that leads to them. Default: they are the answer itself
 * @throws {TaskpipeError} `USAGE` if the expression is invalid
 */
export async function openItems(expression: string | undefined): Promise<FindItems> {
  if (expression === undefined) return itemsIn;
  const library = await loadJmespath();
  const compiled = compileExpression(library, '--batch-answer', expression);
  const { TreeInterpreter } = library;
  return (json, tasks) => {
    try {
      const found = TreeInterpreter.search(compiled, JSON.parse(json));
      return itemsIn(JSON.stringify(found ?? null), tasks);
    } catch (error) {
      return { fault: `--batch-answer: ${messageOf(error)}` };
    }
  };
}

/** Finds items in an array, by the uuids in them or by their places, or in an object by uuid. */
function itemsIn(json: string, tasks: readonly Task[]): ReturnType<FindItems> {
  if (json.startsWith('{'))
    return found(objectItems(json), tasks) ?? { fault: 'it is an object without their uuids' };
  if (!json.startsWith('[')) return { fault: `it is ${json.length > 100 ? 'one value' : json}` };
  const items = elementsOf(json);
  const uuids = items.map(uuidOf);
  // One that lacks a uuid, as an error may, is for the task at its place if the others are at theirs.
  const isInOrder = uuids.every((uuid, i) => uuid === undefined || uuid === tasks[i]?.uuid);
  if (items.length === tasks.length && isInOrder) return items;
  const byUuid = new Map(items.map((item, i) => [uuids[i] ?? '', item]));
  const named = found(byUuid, tasks);
  if (named !== undefined) return named;
  return items.length === tasks.length ? items : { fault: `it has ${items.length} items` };
}

/** Returns the items of the tasks; undefined if no task has one. */
function found(
  items: ReadonlyMap<string, string>,
  tasks: readonly Task[],
): readonly (string | undefined)[] | undefined {
  const own = tasks.map(({ uuid }) => items.get(uuid));
  return own.some((item) => item !== undefined) ? own : undefined;
}

function objectItems(json: string): Map<string, string> {
  return new Map(membersOf(json).map(({ key, value, end }) => [key, json.slice(value, end)]));
}

/** Returns the uuid of an item; undefined if it has none. */
function uuidOf(item: string): string | undefined {
  if (!item.startsWith('{')) return undefined;
  const member = membersOf(item).find(({ key }) => key === 'uuid');
  const text = member === undefined ? '' : item.slice(member.value, member.end);
  return text.startsWith('"') ? (JSON.parse(text) as string) : undefined;
}
