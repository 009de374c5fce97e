import { elementsFrom, elementsOf } from '../../core/record/json-text.ts';
import { parseRecord } from '../../core/record/ndjson.ts';
import { attribute, type Failure, type Fields, Task } from '../../core/record/task.ts';
import { rawMember } from '../../core/record/template.ts';
import type { Outcome } from '../contract.ts';
import type { RetryOn } from '../program/retry-on.ts';
import type { Assignment, BatchAnswer, BatchForm, InvalidAnswer } from './assignment.ts';
import { splitItems } from './invalid-batch.ts';
import { outcomeOf } from './worker-answer.ts';

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
 * Finds the batch of an answer: by a uuid in the answer, else the oldest batch.
 * @param batches those that the worker has, the oldest first
 */
export function batchOf(answer: BatchAnswer, batches: Iterable<Assignment>): Assignment | undefined {
  const all = [...batches];
  const [oldest] = all;
  const [first = ''] = answer.items;
  if (all.length <= 1 || first === oldest?.batch?.[0]?.line) return oldest;
  for (const i of answer.items.keys()) {
    const uuid = uuidOfItem(answer, i);
    if (uuid === undefined) continue;
    const found = all.find(({ batch }) => batch?.some((task) => task.uuid === uuid));
    if (found !== undefined) return found;
  }
  return uuidOfItem(answer, 0) === undefined ? oldest : undefined;
}

/** Returns an item as a record, or the reason it is not one; undefined for a blank one. */
function recordAt({ items, values }: BatchAnswer, index: number): ReturnType<typeof parseRecord> {
  const text = items[index] ?? '';
  // The whole line is within the limit of levels, and so is each object in it.
  return values === undefined || text.charCodeAt(0) !== 123
    ? recordIn(text)
    : { text, fields: values[index] as Fields };
}

/** Returns the uuid of an item; undefined if it has none. */
function uuidOfItem(answer: BatchAnswer, index: number): string | undefined {
  const made = recordAt(answer, index);
  const uuid = made === undefined || 'code' in made ? undefined : attribute(made.fields, 'uuid');
  return typeof uuid === 'string' ? uuid : undefined;
}

/**
 * Returns the outcomes of the tasks of a batch. An item is for the task of its uuid; without one, for the task at its
 * place if there are as many items as tasks. An item that repeats the record is a success.
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
  const isOrdered = items.length === tasks.length;
  const byUuid = new Map<string, Outcome[]>();
  /** Places of items that have the uuid of the task there. */
  const named = new Set<number>();
  const placed = items.map((item, i): Outcome | undefined => {
    const task = isOrdered ? tasks[i] : undefined;
    if (item === task?.line) return REPEATED;
    const made = recordAt(answer, i);
    if (made === undefined || 'code' in made)
      return { error: invalid(who, made?.message ?? 'it is not an object') };
    const uuid = attribute(made.fields, 'uuid');
    const owner = uuid === undefined || uuid === task?.uuid ? task : tasks.find((one) => one.uuid === uuid);
    if (owner === undefined) return undefined;
    const outcome = outcomeOf(new Task(owner.uuid, made.text, made.fields), owner, retryOn);
    if (owner === task) {
      if (uuid !== undefined) named.add(i);
      return outcome;
    }
    const same = byUuid.get(owner.uuid);
    if (same === undefined) byUuid.set(owner.uuid, [outcome]);
    else same.push(outcome);
    return undefined;
  });
  const lacking = { error: { code: 'ANSWER', message: `${who} answered a batch without this task of it` } };
  return tasks.map(({ uuid }, i) => {
    const own = byUuid.size > 0 && !named.has(i) ? nextOf(byUuid.get(uuid)) : undefined;
    return own ?? (isOrdered ? placed[i] : undefined) ?? lacking;
  });
}

/**
 * Takes the first of several items with one uuid, because tasks of a batch may have the same uuid. The last item
 * stays.
 */
function nextOf(outcomes: Outcome[] | undefined): Outcome | undefined {
  return outcomes !== undefined && outcomes.length > 1 ? outcomes.shift() : outcomes?.[0];
}

function invalid(who: string, why: string): Failure {
  return { code: 'ANSWER', message: `${who} wrote an invalid answer: ${why}` };
}
