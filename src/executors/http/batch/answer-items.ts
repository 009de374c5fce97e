import { messageOf } from '../../../core/base/errors.ts';
import { compileExpression } from '../../../core/options/jmespath-option.ts';
import { elementsOf, type Member, membersOf } from '../../../core/record/json-text.ts';
import type { Task } from '../../../core/record/task.ts';
import { rawMember } from '../../../core/record/template.ts';
import { loadJmespath } from '../response/jmespath.ts';

/**
 * Function that returns the items of an answer for the tasks of its batch, as JSON texts; undefined for a task
 * without an item.
 */
export type FindItems = (
  json: string,
  tasks: readonly Task[],
) => readonly (string | undefined)[] | { readonly fault: string };

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
  if (expression === undefined) return itemsIn;
  if (PATH.test(expression)) return (json, tasks) => itemsIn(textAt(json, expression.split('.')), tasks);
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

/** Finds items in an array, by the uuids or the indexes in them or by their places, or in an object by uuid. */
function itemsIn(json: string, tasks: readonly Task[]): ReturnType<FindItems> {
  if (json.startsWith('{'))
    return found(objectItems(json), tasks) ?? { fault: 'it is an object without their uuids' };
  if (!json.startsWith('[')) return { fault: `it is ${json.length > 100 ? 'one value' : json}` };
  const items = elementsOf(json);
  const members = items.map((item) => (item.startsWith('{') ? membersOf(item) : []));
  const uuids = items.map((item, i) => uuidIn(item, members[i] as readonly Member[]));
  const byUuid = new Map<string, string[]>();
  for (const [i, item] of items.entries()) {
    const uuid = uuids[i];
    if (uuid === undefined) continue;
    const same = byUuid.get(uuid);
    if (same === undefined) byUuid.set(uuid, [item]);
    else same.push(item);
  }
  const named = found(byUuid, tasks);
  if (named !== undefined) {
    // An item without a uuid, such as an error, is for the task at its place if all others are at the place of their
    // task.
    const isInOrder = uuids.every((uuid, i) => uuid === undefined || uuid === tasks[i]?.uuid);
    return isInOrder && items.length === tasks.length ? items : named;
  }
  const indexes = items.map((item, i) => indexIn(item, members[i] as readonly Member[]));
  const numbered = byIndex(items, indexes, tasks.length);
  if (numbered !== undefined) return numbered;
  return items.length === tasks.length ? items : { fault: `it has ${items.length} items` };
}

/** Returns the items by the indexes in them, as OpenAI has them; undefined unless each item has one. */
function byIndex(
  items: readonly string[],
  indexes: readonly (number | undefined)[],
  count: number,
): readonly (string | undefined)[] | undefined {
  const places: (string | undefined)[] = new Array(count).fill(undefined);
  for (const [i, index] of indexes.entries()) {
    if (index === undefined || index >= count || places[index] !== undefined) return undefined;
    places[index] = items[i];
  }
  return items.length === 0 ? undefined : places;
}

/** Returns the items of the tasks; undefined if no task has one. Tasks with the same uuid get its items in order. */
function found(
  items: ReadonlyMap<string, string[]>,
  tasks: readonly Task[],
): readonly (string | undefined)[] | undefined {
  const own = tasks.map(({ uuid }) => {
    const left = items.get(uuid);
    return left !== undefined && left.length > 1 ? left.shift() : left?.[0];
  });
  return own.some((item) => item !== undefined) ? own : undefined;
}

function objectItems(json: string): Map<string, string[]> {
  return new Map(membersOf(json).map(({ key, value, end }) => [key, [json.slice(value, end)]]));
}

/** Returns the uuid of an item; undefined if it has none. */
function uuidIn(item: string, members: readonly Member[]): string | undefined {
  const text = textOf('uuid', item, members);
  return text.startsWith('"') ? (JSON.parse(text) as string) : undefined;
}

/** Returns the index of the request in an item, from 0; undefined if it has none. */
function indexIn(item: string, members: readonly Member[]): number | undefined {
  const text = textOf('index', item, members);
  return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
}

function textOf(name: string, item: string, members: readonly Member[]): string {
  const member = members.find(({ key }) => key === name);
  return member === undefined ? '' : item.slice(member.value, member.end);
}
