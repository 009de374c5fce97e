import { elementsOf } from '../../core/record/json-text.ts';
import { parseRecord } from '../../core/record/ndjson.ts';
import { attribute, type Failure, Task } from '../../core/record/task.ts';
import { rawMember } from '../../core/record/template.ts';
import type { Outcome } from '../contract.ts';
import type { RetryOn } from '../program/retry-on.ts';
import type { Assignment, BatchAnswer, BatchForm } from './assignment.ts';
import { outcomeOf } from './worker-answer.ts';

/** Outcome of a record that is repeated. */
const REPEATED: Outcome = {};

let batches = 0;

/** Returns tasks as one, whose line is what a worker reads. Its uuid is that of no record. */
export function batchTask(tasks: readonly Task[], form: BatchForm): Task {
  const lines = tasks.map(({ line }) => line);
  const text = form === 'lines' ? `${lines.join('\n')}\n` : `{"batch":[${lines.join(',')}]}`;
  return new Task(`\0${batches++}`, text);
}

/** Reader of the answers of one worker. */
export class BatchReader {
  readonly #form: BatchForm;
  #items: string[] = [];

  constructor(form: BatchForm) {
    this.#form = form;
  }

  /** Takes a line. Returns the answer that it ends; a text that is not an answer; or undefined if more lines follow. */
  take(line: string): BatchAnswer | string | undefined {
    if (this.#form === 'object') return line === '' ? undefined : (readObject(line) ?? line);
    if (line !== '') {
      this.#items.push(line);
      return undefined;
    }
    const items = this.#items;
    this.#items = [];
    return items.length === 0 ? undefined : { items };
  }
}

function readObject(line: string): BatchAnswer | undefined {
  const made = line.charCodeAt(0) === 123 ? parseRecord(line) : undefined;
  if (made === undefined || 'code' in made) return undefined;
  if (Array.isArray(attribute(made.fields, 'batch')))
    return { items: elementsOf(rawMember(made.text, 'batch') as string) };
  return attribute(made.fields, 'error') === undefined ? undefined : { items: [], whole: made.text };
}

/**
 * Finds the batch that an answer is for: that of a uuid in it, else the oldest one.
 * @param batches those that the worker has, the oldest first
 */
export function batchOf(answer: BatchAnswer, batches: Iterable<Assignment>): Assignment | undefined {
  const all = [...batches];
  const [oldest] = all;
  const [first = ''] = answer.items;
  if (all.length <= 1 || first === oldest?.batch?.[0]?.line) return oldest;
  for (const item of answer.items) {
    const uuid = uuidOfItem(item);
    if (uuid === undefined) continue;
    const found = all.find(({ batch }) => batch?.some((task) => task.uuid === uuid));
    if (found !== undefined) return found;
  }
  return uuidOfItem(first) === undefined ? oldest : undefined;
}

/** Returns the uuid of an item; undefined if it has none. */
function uuidOfItem(item: string): string | undefined {
  const made = parseRecord(item);
  const uuid = made === undefined || 'code' in made ? undefined : attribute(made.fields, 'uuid');
  return typeof uuid === 'string' ? uuid : undefined;
}

/**
 * Returns the outcomes of the tasks of a batch. An item is for the task of its uuid; without one, for the task at its place
 * if there are as many items as tasks. One that repeats the record is a success.
 * @param who name of the worker, for messages
 */
export function outcomesOf(
  tasks: readonly Task[],
  { items, whole }: BatchAnswer,
  retryOn: RetryOn,
  who: string,
): Outcome[] | Outcome {
  if (whole !== undefined) return outcomeOf(new Task('', whole), new Task('', '{}'), retryOn);
  const isOrdered = items.length === tasks.length;
  const byUuid = new Map<string, Outcome>();
  const placed = items.map((item, i): Outcome | undefined => {
    const task = isOrdered ? tasks[i] : undefined;
    if (item === task?.line) return REPEATED;
    const made = parseRecord(item);
    if (made === undefined || 'code' in made)
      return { error: invalid(who, made?.message ?? 'it is not an object') };
    const uuid = attribute(made.fields, 'uuid');
    const owner = uuid === undefined || uuid === task?.uuid ? task : tasks.find((one) => one.uuid === uuid);
    if (owner === undefined) return undefined;
    const outcome = outcomeOf(new Task(owner.uuid, made.text, made.fields), owner, retryOn);
    if (owner === task) return outcome;
    byUuid.set(owner.uuid, outcome);
    return undefined;
  });
  const lacking = { error: { code: 'ANSWER', message: `${who} answered a batch without this task of it` } };
  return tasks.map(
    ({ uuid }, i) =>
      (byUuid.size > 0 ? byUuid.get(uuid) : undefined) ?? (isOrdered ? placed[i] : undefined) ?? lacking,
  );
}

function invalid(who: string, why: string): Failure {
  return { code: 'ANSWER', message: `${who} wrote an invalid answer: ${why}` };
}
