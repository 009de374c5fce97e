import { elementsFrom, elementsOf } from '../../core/record/json-text.ts';
import { parseRecord } from '../../core/record/ndjson.ts';
import { attribute, type Failure, type Fields, Task } from '../../core/record/task.ts';
import { rawMember } from '../../core/record/template.ts';
import { BatchUuids, countsOf, placesOf } from '../batch-uuids.ts';
import type { Outcome } from '../contract.ts';
import type { RetryOn } from '../program/retry-on.ts';
import type { Assignment, BatchAnswer, BatchForm, InvalidAnswer } from './assignment.ts';
import { splitItems } from './invalid-batch.ts';
import { outcomeOf, uuidsIn } from './worker-answer.ts';

/** Outcome of a record that is repeated. */
const REPEATED: Outcome = {};

/** Answer that repeats a batch. */
export const ECHO: BatchAnswer = { items: [], isEcho: true };

let batches = 0;

/** Returns tasks as a single one, whose line a worker reads. No record has its uuid. */
export function batchTask(tasks: readonly Task[], form: BatchForm): Task {
  const lines = tasks.map(({ line }) => line);
  const uuid = `\0${batches++}`;
  if (form === 'lines') return new Task(uuid, `${lines.join('\n')}\n`);
  // Added to the first and the last text: V8 would copy a concatenation of all texts when it is written or compared.
  lines[0] = `{"batch":[${lines[0]}`;
  lines.push(`${lines.pop()}]}`);
  return new Task(uuid, lines.join(','));
}

/** Reader of the answers of one worker. */
export class BatchReader {
  readonly #form: BatchForm;
  #items: string[] = [];

  constructor(form: BatchForm) {
    this.#form = form;
  }

  /** True if it has lines of an answer that has not ended. */
  get isGathering(): boolean {
    return this.#items.length > 0;
  }

  /**
   * Takes a line. Returns the answer that it ends; an invalid answer; or undefined if it is not an answer, or more lines
   * follow.
   */
  take(line: string): BatchAnswer | InvalidAnswer | undefined {
    if (this.#form === 'object') return line === '' ? undefined : readObject(line);
    if (line !== '') {
      this.#items.push(line);
      return undefined;
    }
    const items = this.#items;
    this.#items = [];
    return items.length === 0 ? undefined : { items };
  }
}

/** Advice for a worker whose answers have another form. */
const ONE_LINE = 'a worker must answer a batch with one line {"batch":[answer,…]}, or use --batch-lines';

function readObject(line: string): BatchAnswer | InvalidAnswer | undefined {
  const made = /^\s*\{/.test(line) ? recordIn(line) : undefined;
  if (made === undefined) return undefined;
  if ('code' in made) {
    const items = splitItems(line);
    return items === undefined ? { ...made, message: `${made.message}; ${ONE_LINE}` } : { items };
  }
  const values = attribute(made.fields, 'batch');
  if (Array.isArray(values)) return { items: itemsIn(made.text), values };
  if (values !== undefined) return { code: 'FORM', message: `its "batch" is not an array; ${ONE_LINE}` };
  if (attribute(made.fields, 'uuid') !== undefined)
    return { code: 'SINGLE', message: `it is for a single task; ${ONE_LINE}` };
  return attribute(made.fields, 'error') === undefined ? undefined : { items: [], whole: made.text };
}

/** Parses a text as a record. Half of a surrogate pair is in texts that were not UTF-8. */
function recordIn(text: string): ReturnType<typeof parseRecord> {
  return text.isWellFormed() ? parseRecord(text) : { code: 'UTF8', message: 'not valid UTF-8' };
}

const START = /^\{ ?"batch" ?: ?\[/;

/** Returns the texts of the items of an answer. Most answers have no other member, and are read in one pass. */
function itemsIn(text: string): string[] {
  const [start] = START.exec(text) ?? [];
  if (start !== undefined) {
    const { elements, end } = elementsFrom(text, start.length - 1);
    if (text.slice(end).trim() === '}') return elements;
  }
  return elementsOf(rawMember(text, 'batch') as string);
}

/**
 * Finds the batch of an answer: by a uuid in the answer. An answer without any is for the oldest batch.
 * @param batches those that the worker has, the oldest first
 * @returns the uuids in the answer if none of them is of a batch
 */
export function batchOf(
  answer: BatchAnswer,
  batches: Iterable<Assignment>,
): Assignment | Set<string> | undefined {
  const all = [...batches];
  const [oldest] = all;
  const [first = ''] = answer.items;
  if (first === oldest?.batch?.[0]?.line) return oldest;
  const shown = new Set<string>();
  const uuids = all.map(({ batch = [] }) => new BatchUuids(batch));
  for (const i of answer.items.keys()) {
    const uuid = uuidOfItem(answer, i);
    if (uuid === undefined) continue;
    const found = all.find(
      ({ batch }, b) => batch?.[0]?.uuid === uuid || uuids[b]?.placeOf(uuid) !== undefined,
    );
    if (found !== undefined) return found;
    shown.add(uuid);
  }
  return shown.size > 0 ? shown : oldest;
}

/** Returns an item as a record, or the reason it is not one; undefined for a blank one. */
function recordAt({ items, values }: BatchAnswer, index: number): ReturnType<typeof parseRecord> {
  const text = items[index] ?? '';
  // The whole line is within the limit of levels, and so is each object in it.
  return values === undefined || text.charCodeAt(0) !== 123
    ? recordIn(text)
    : { text, fields: values[index] as Fields };
}

/** Returns the uuid of an item; undefined if it has none. Most items without one need no parsing. */
function uuidOfItem(answer: BatchAnswer, index: number): string | undefined {
  if (answer.values === undefined && answer.items[index]?.includes('uuid') === false) return undefined;
  const made = recordAt(answer, index);
  const uuid = made === undefined || 'code' in made ? undefined : attribute(made.fields, 'uuid');
  return typeof uuid === 'string' ? uuid : undefined;
}

/**
 * Returns the outcomes of the tasks of a batch. An item is for the task of its uuid. One without a uuid is for the task
 * at its place, if there are as many items as tasks and no other item is at the place of another task. An item that
 * repeats the record is a success.
 * @param who name of the worker, for messages
 */
export function outcomesOf(
  tasks: readonly Task[],
  answer: BatchAnswer,
  retryOn: RetryOn,
  who: string,
): Outcome[] | Outcome {
  const { items, whole, isEcho = false } = answer;
  if (isEcho) return new Array(tasks.length).fill(REPEATED);
  if (whole !== undefined) return outcomeOf(new Task('', whole), new Task('', '{}'), retryOn);
  const uuids = new BatchUuids(tasks);
  let isInOrder = items.length === tasks.length;
  /** Uuids that the items show; undefined for one that shows none of the batch. */
  const owners: (string | undefined)[] = new Array(items.length);
  const outcomes = items.map((item, i): Outcome => {
    const task = tasks[i];
    if (item === task?.line) {
      owners[i] = task.uuid;
      return REPEATED;
    }
    const made = recordAt(answer, i);
    const isRead = made !== undefined && !('code' in made);
    const shown = isRead ? attribute(made.fields, 'uuid') : uuidInInvalid(item);
    const owner = shown === undefined || shown === task?.uuid ? task : ownerOf(shown, tasks, uuids);
    if (shown !== undefined) {
      owners[i] = owner?.uuid;
      if (owner === undefined || owner.uuid !== task?.uuid) isInOrder = false;
    }
    if (!isRead) return { error: invalid(who, made?.message ?? 'it is not an object') };
    return owner === undefined ? {} : outcomeOf(new Task(owner.uuid, made.text, made.fields), owner, retryOn);
  });
  return isInOrder ? outcomes : inAnyOrder(tasks, answer, owners, outcomes, who);
}

function ownerOf(uuid: unknown, tasks: readonly Task[], uuids: BatchUuids): Task | undefined {
  const place = typeof uuid === 'string' ? uuids.placeOf(uuid) : undefined;
  return place === undefined ? undefined : tasks[place];
}

/** Returns the only uuid in the text of an invalid item. */
function uuidInInvalid(item: string): string | undefined {
  const [uuid, ...others] = uuidsIn(item);
  return others.length > 0 ? undefined : uuid;
}

/** Returns the outcomes of items that show their tasks. Tasks with the same uuid get its items in order. */
function inAnyOrder(
  tasks: readonly Task[],
  { items }: BatchAnswer,
  owners: readonly (string | undefined)[],
  outcomes: readonly Outcome[],
  who: string,
): Outcome[] {
  const places = placesOf(owners);
  const counts = countsOf(tasks);
  const answered = (what: string): Outcome => ({
    error: { code: 'ANSWER', message: `${who} answered a batch ${what}` },
  });
  const seen = new Map<string, number>();
  return tasks.map(({ uuid }) => {
    const own = places.get(uuid);
    if (own === undefined) return answered('without this task of it');
    const differing = new Set(own.map((place) => items[place])).size;
    const isShared = own.length !== counts.get(uuid);
    if (isShared && differing > 1) return answered(`with ${differing} different items for this task of it`);
    const nth = seen.get(uuid) ?? 0;
    seen.set(uuid, nth + 1);
    return outcomes[own[isShared ? 0 : nth] as number] as Outcome;
  });
}

function invalid(who: string, why: string): Failure {
  return { code: 'ANSWER', message: `${who} wrote an invalid answer: ${why}` };
}
