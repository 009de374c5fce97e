import { elementsOf, type Member, membersOf } from '../../../core/record/json-text.ts';
import type { Task } from '../../../core/record/task.ts';
import { BatchUuids, countsOf, placesOf } from '../../batch-uuids.ts';

/** Items of an answer for the tasks of its batch, as JSON texts; undefined for a task without an item. */
export type Paired = readonly (string | undefined)[];

/** Reason an answer does not match its batch. */
export interface Mismatch {
  readonly fault: string;
  /** Advice. Default: `--batch-answer`. */
  readonly hint?: string;
}

/** Advice about attributes of items that have the name, but not the meaning, of those that show the task. */
const LEAVE_OUT = "--batch-answer '[].{name: name}' keeps only the attributes that it names";

/** Item of an answer. */
interface Item {
  readonly text: string;
  readonly members: readonly Member[];
}

/** Pairs the items of an array or an object with tasks. An item that shows a task is never given to another one. */
export function pairItems(json: string, tasks: readonly Task[]): Paired | Mismatch {
  if (json.startsWith('{')) return pairMembers(json, tasks);
  if (!json.startsWith('[')) return { fault: `it is ${json.length > 100 ? 'one value' : json}` };
  const items = elementsOf(json).map((text) => ({
    text,
    members: text.startsWith('{') ? membersOf(text) : [],
  }));
  const uuids = new BatchUuids(tasks);
  const paired =
    byUuid('uuid', items, tasks, uuids) ?? byUuid('id', items, tasks, uuids) ?? byIndex(items, tasks.length);
  if (paired !== undefined) return paired;
  const place = items.findIndex((item) => textIn(item, 'uuid') !== undefined);
  if (place >= 0) {
    const uuid = JSON.stringify(textIn(items[place] as Item, 'uuid'));
    return {
      fault: `item ${place + 1} has the uuid ${uuid}, which no task of the batch has`,
      hint: LEAVE_OUT,
    };
  }
  return items.length === tasks.length
    ? items.map(({ text }) => text)
    : { fault: `it has ${items.length} items` };
}

/** Pairs the members of an object with tasks. */
function pairMembers(json: string, tasks: readonly Task[]): Paired | Mismatch {
  const uuids = new BatchUuids(tasks);
  const found = new Map<string, string>();
  for (const { key, value, end } of membersOf(json)) {
    const uuid = uuids.match(key);
    if (uuid === undefined) continue;
    const text = json.slice(value, end);
    if (found.has(uuid) && found.get(uuid) !== text) return { fault: 'it has 2 values for one uuid' };
    found.set(uuid, text);
  }
  if (found.size === 0) return { fault: 'it is an object without their uuids' };
  return tasks.map(({ uuid }) => found.get(uuid));
}

/**
 * Pairs items by the uuids of tasks in an attribute. Tasks with the same uuid get its items in order.
 * @returns undefined if no item has the uuid of a task
 */
function byUuid(
  name: 'uuid' | 'id',
  items: readonly Item[],
  tasks: readonly Task[],
  uuids: BatchUuids,
): Paired | Mismatch | undefined {
  const shown = items.map((item) => textIn(item, name));
  const owners = shown.map((text) => (text === undefined ? undefined : uuids.match(text)));
  const places = placesOf(owners);
  if (places.size === 0) return undefined;
  // Most ids are those of the server, and some may look like the uuid of a task.
  if (name === 'id' && shown.some((text, i) => text !== undefined && owners[i] === undefined))
    return undefined;
  // An item without a uuid, such as an error, is for the task at its place if all others are at the place of their
  // task.
  const isAtPlace = (text: string | undefined, i: number): boolean =>
    text === undefined || (owners[i] !== undefined && owners[i] === tasks[i]?.uuid);
  if (items.length === tasks.length && shown.every(isAtPlace)) return items.map(({ text }) => text);
  const counts = countsOf(tasks);
  for (const [uuid, [first = 0, ...others]] of places) {
    if (others.length + 1 === counts.get(uuid)) continue;
    const other = others.find((i) => items[i]?.text !== items[first]?.text);
    if (other !== undefined)
      return { fault: `items ${first + 1} and ${other + 1} have the same ${name} and differ` };
  }
  return tasks.map(({ uuid }) => {
    const left = places.get(uuid);
    const place = left !== undefined && left.length > 1 ? left.shift() : left?.[0];
    return place === undefined ? undefined : items[place]?.text;
  });
}

/** Pairs items by their `index`, as OpenAI has it. Returns undefined if none has one. */
function byIndex(items: readonly Item[], count: number): Paired | Mismatch | undefined {
  const shown = items.map(indexIn);
  if (shown.every((index) => index === undefined)) return undefined;
  const places: (number | undefined)[] = new Array(count).fill(undefined);
  for (const [i, index] of shown.entries()) {
    if (index === undefined) continue;
    if (!Number.isInteger(index.value) || index.value < 0 || index.value >= count)
      return {
        fault: `item ${i + 1} has the index ${index.text}, and indexes count from 0 to ${count - 1}`,
        hint: LEAVE_OUT,
      };
    const other = places[index.value];
    if (other !== undefined)
      return { fault: `items ${other + 1} and ${i + 1} both have the index ${index.value}` };
    places[index.value] = i;
  }
  const isInOrder = shown.every((index, i) => index === undefined || index.value === i);
  if (isInOrder && items.length === count) return items.map(({ text }) => text);
  return places.map((place) => (place === undefined ? undefined : items[place]?.text));
}

/** Returns the text of an attribute of an item; undefined if it is not text. */
function textIn(item: Item, name: string): string | undefined {
  const text = rawIn(item, name);
  return text.startsWith('"') ? (JSON.parse(text) as string) : undefined;
}

/**
 * Returns the index of the request in an item: a number, also as text. Returns undefined if it has none, or one of
 * another kind, such as the name of a database index. The value of text that is not written as an index is `NaN`.
 */
function indexIn(item: Item): { readonly value: number; readonly text: string } | undefined {
  const text = rawIn(item, 'index');
  if (/^-?\d/.test(text)) return { value: Number(text), text };
  if (!/^"\s*[-+]?\d+(?:\.\d*)?\s*"$/.test(text)) return undefined;
  return { value: /^"(?:0|[1-9]\d*)"$/.test(text) ? Number(text.slice(1, -1)) : Number.NaN, text };
}

function rawIn({ text, members }: Item, name: string): string {
  const member = members.findLast(({ key }) => key === name);
  return member === undefined ? '' : text.slice(member.value, member.end);
}
