import { isUtf8 } from 'node:buffer';
import { membersOf, minify } from '../core/members.ts';
import { parseRecord } from '../core/ndjson.ts';
import { findNames, rawAt, valueAt } from '../core/nested.ts';
import { Task } from '../core/task.ts';
import { nameUuid, randomUuid } from '../core/uuid.ts';
import { Refusal } from './envelope.ts';

/** What a task has of its own. */
const OURS = ['uuid', 'run', 'result'];

/** Bytes as text. */
export function textOfBody(body: Buffer): string {
  if (!isUtf8(body)) throw new Refusal(400, 'UTF8', 'the body is not valid UTF-8');
  return body.toString();
}

/** The task of a body `{"data": {…}}`: the members of the data are its attributes, and keep their bytes. */
export function taskOfBody(text: string, idFields: readonly string[] | undefined): Task {
  const record = parseRecord(text);
  if (record === undefined) throw new Refusal(400, 'JSON', 'the body is empty; send {"data": {…}}');
  if ('code' in record) throw new Refusal(400, record.code, `the body: ${record.message}`);
  const members = membersOf(record.text);
  const other = members.find(({ key }) => key !== 'data');
  if (other !== undefined)
    throw new Refusal(400, 'DATA', `the body has a member ${JSON.stringify(other.key)}; send {"data": {…}}`);
  const data = members.at(-1);
  if (data === undefined) throw new Refusal(400, 'DATA', 'the body has no "data"; send {"data": {…}}');
  return taskOfData(record.text.slice(data.value, data.end), idFields);
}

/** The tasks of a batch: an object a line, which is the data of one. */
export function tasksOfBatch(text: string, idFields: readonly string[] | undefined): readonly Task[] {
  const tasks: Task[] = [];
  for (const [i, line] of text.split('\n').entries()) {
    if (line.trim() === '') continue;
    try {
      tasks.push(taskOfData(line, idFields));
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw new Refusal(
        400,
        error.faults[0]?.code ?? 'DATA',
        `line ${i + 1}: ${error.message}; nothing was taken`,
      );
    }
  }
  if (tasks.length === 0) throw new Refusal(400, 'DATA', 'the batch has no line; send an object a line');
  return tasks;
}

function taskOfData(raw: string, idFields: readonly string[] | undefined): Task {
  const data = parseRecord(raw);
  if (data === undefined) throw new Refusal(400, 'DATA', 'the data is empty; send an object');
  if ('code' in data) throw new Refusal(400, data.code, `the data: ${data.message}`);
  const text = minify(data.text);
  const own = OURS.find((name) => Object.hasOwn(data.fields, name));
  if (own !== undefined)
    throw new Refusal(
      400,
      'DATA',
      `the data has a member ${JSON.stringify(own)}, which is a task's own; give it another name`,
    );
  const uuid = idFields === undefined ? randomUuid(4) : idOf(text, data.fields, idFields);
  const rest = text.slice(1);
  return new Task(uuid, `{"uuid":"${uuid}"${rest === '}' ? '' : ','}${rest}`);
}

/** Returns the same id as `task-load --uuid-fields`. */
function idOf(text: string, fields: Readonly<Record<string, unknown>>, idFields: readonly string[]): string {
  const values = idFields.map((path) => {
    const names = findNames(fields, path);
    if (names === undefined)
      throw new Refusal(
        400,
        'DATA',
        `the data has no member ${JSON.stringify(path)}, which its id is made of`,
      );
    const value = valueAt(fields, names);
    return typeof value === 'string' ? value : rawAt(text, names);
  });
  const name = values.join('\u001f');
  if (!name.isWellFormed())
    throw new Refusal(400, 'DATA', 'what the id is made of has half of a surrogate pair');
  return nameUuid(name, 3);
}
