import { isUtf8 } from 'node:buffer';
import { thrownOf } from '../../core/base/thrown.ts';
import { nameUuid, randomUuid } from '../../core/ids/index.ts';
import { membersOf, minify } from '../../core/record/json-text.ts';
import { parseRecord } from '../../core/record/ndjson.ts';
import { findNames, rawAt, valueAt } from '../../core/record/nested-path.ts';
import { Task } from '../../core/record/task.ts';
import { Refusal } from './envelope.ts';

/** Attributes that belong to the task itself. */
const OURS = ['uuid', 'run', 'result'];

/** Ways to make the id of a task from its data. Default: a random UUID. */
export interface Ids {
  /** Members of the data from which it is made. */
  readonly idFields: readonly string[] | undefined;
  /** Function that returns the id. */
  readonly taskId: ((data: Readonly<Record<string, unknown>>) => string | Promise<string>) | undefined;
}

/** Decodes a body. @throws {Refusal} 400 if it is not UTF-8 */
export function textOfBody(body: Buffer): string {
  if (!isUtf8(body)) throw new Refusal(400, 'UTF8', 'the body is not valid UTF-8');
  return body.toString();
}

/** Reads the task of a body `{"data": {…}}`: the members of `data` become attributes and keep their bytes. */
export async function taskOfBody(text: string, ids: Ids): Promise<Task> {
  const record = parseRecord(text);
  if (record === undefined) throw new Refusal(400, 'JSON', 'the body is empty; send {"data": {…}}');
  if ('code' in record) throw new Refusal(400, record.code, `the body: ${record.message}`);
  const members = membersOf(record.text);
  const other = members.find(({ key }) => key !== 'data');
  if (other !== undefined)
    throw new Refusal(400, 'DATA', `the body has a member ${JSON.stringify(other.key)}; send {"data": {…}}`);
  const data = members.at(-1);
  if (data === undefined) throw new Refusal(400, 'DATA', 'the body has no "data"; send {"data": {…}}');
  return taskOfData(record.text.slice(data.value, data.end), ids);
}

/** Reads the tasks of a batch: each line is an object, the data of one task. */
export async function tasksOfBatch(text: string, ids: Ids): Promise<readonly Task[]> {
  const tasks: Task[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    try {
      tasks.push(await taskOfData(line, ids));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw new Refusal(
        400,
        error.faults[0]?.code ?? 'DATA',
        `line ${i + 1}: ${error.message}; no task was accepted`,
      );
    }
  }
  if (tasks.length === 0) throw new Refusal(400, 'DATA', 'the batch is empty; send one object per line');
  return tasks;
}

async function taskOfData(raw: string, { idFields, taskId }: Ids): Promise<Task> {
  const data = parseRecord(raw);
  if (data === undefined) throw new Refusal(400, 'DATA', 'the data is empty; send an object');
  if ('code' in data) throw new Refusal(400, data.code, `the data: ${data.message}`);
  const text = minify(data.text);
  const own = OURS.find((name) => Object.hasOwn(data.fields, name));
  if (own !== undefined)
    throw new Refusal(
      400,
      'DATA',
      `the data has a member ${JSON.stringify(own)}, which is reserved; rename it`,
    );
  const uuid =
    taskId !== undefined
      ? await idFrom(taskId, text)
      : idFields === undefined
        ? randomUuid(4)
        : idOf(text, data.fields, idFields);
  const rest = text.slice(1);
  return new Task(uuid, `{"uuid":${JSON.stringify(uuid)}${rest === '}' ? '' : ','}${rest}`);
}

/** Returns the id that a function makes from the data. */
async function idFrom(taskId: NonNullable<Ids['taskId']>, text: string): Promise<string> {
  let id: unknown;
  try {
    id = await taskId(JSON.parse(text));
  } catch (error) {
    throw new Refusal(400, 'DATA', `taskId(data) failed: ${thrownOf(error).message}`);
  }
  if (typeof id === 'string' && /^\P{Cc}{1,256}$/u.test(id) && id.isWellFormed()) return id;
  throw new TypeError(
    `taskId(data) must return a text of 1 to 256 printable characters; got ${JSON.stringify(id)}`,
  );
}

/** Makes the id in the same way as `task-load --uuid-fields`. */
function idOf(text: string, fields: Readonly<Record<string, unknown>>, idFields: readonly string[]): string {
  const values = idFields.map((path) => {
    const names = findNames(fields, path);
    if (names === undefined)
      throw new Refusal(400, 'DATA', `the data has no member ${JSON.stringify(path)} (--id-fields)`);
    const value = valueAt(fields, names);
    return typeof value === 'string' ? value : rawAt(text, names);
  });
  const name = values.join('\u001f');
  if (!name.isWellFormed())
    throw new Refusal(400, 'DATA', 'a member used for the id contains a lone surrogate');
  return nameUuid(name, 3);
}
