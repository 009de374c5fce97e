import { messageOf } from './errors.ts';
import { type BadInput, type LineOptions, readLines } from './lines.ts';
import { type Fields, Task, uuidFault } from './task.ts';

/** One record of NDJSON. */
export interface JsonRecord {
  /** Its text, `{` first and `}` last. */
  readonly text: string;
  readonly fields: Fields;
  /** The number of its line, from 1. */
  readonly line: number;
}

/** The deepest nesting that is read. `JSON.parse` takes a million levels, but `JSON.stringify` fails by five thousand. */
export const MAX_DEPTH = 64;

/** Reads NDJSON, a batch for each chunk. Blank lines are passed over; a line that is no JSON object is rejected. */
export async function* readJsonRecords(
  chunks: AsyncIterable<Buffer>,
  options: LineOptions,
): AsyncGenerator<JsonRecord[]> {
  for await (const { texts, first } of readLines(chunks, options)) {
    const records: JsonRecord[] = [];
    for (let i = 0; i < texts.length; i++) {
      const text = texts[i] as string;
      if (text === '') continue;
      const parsed = parseRecord(text);
      if (parsed === undefined) continue;
      if ('code' in parsed) options.reject({ source: options.source, line: first + i, ...parsed, text });
      else records.push({ text: parsed.text, fields: parsed.fields, line: first + i });
    }
    yield records;
  }
}

/** Reads tasks, which are records with a `uuid`: what stands between two stages. */
export async function* readTasks(
  chunks: AsyncIterable<Buffer>,
  options: LineOptions,
): AsyncGenerator<Task[]> {
  for await (const { texts, first } of readLines(chunks, options)) {
    const tasks: Task[] = [];
    for (let i = 0; i < texts.length; i++) {
      const text = texts[i] as string;
      if (text === '') continue;
      const task = parseTask(text);
      if (task instanceof Task) tasks.push(task);
      else if (task !== undefined) options.reject({ source: options.source, line: first + i, ...task, text });
    }
    yield tasks;
  }
}

type Fault = Pick<BadInput, 'code' | 'message'>;

/** A line as a task, or why it is none; undefined where it is blank. */
export function parseTask(line: string): Task | Fault | undefined {
  const record = parseRecord(line);
  if (record === undefined || 'code' in record) return record;
  const { uuid } = record.fields;
  const fault = uuidFault(uuid);
  return fault === undefined
    ? new Task(uuid as string, record.text, record.fields)
    : { code: 'UUID', message: fault };
}

/** A line as a record, or why it is none; undefined where it is blank. */
export function parseRecord(line: string): { text: string; fields: Fields } | Fault | undefined {
  let text = line;
  if (line.charCodeAt(0) !== 123 || line.charCodeAt(line.length - 1) !== 125) {
    text = line.trim();
    if (text === '') return undefined;
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { code: 'JSON', message: `not JSON: ${messageOf(error)}` };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { code: 'OBJECT', message: `expected a JSON object, got ${kindOf(value)}` };
  }
  if (isDeeper(value, MAX_DEPTH)) return { code: 'DEPTH', message: `nested over ${MAX_DEPTH} levels` };
  return { text, fields: value as Fields };
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

/** Whether a parsed value is nested over `levels` deep; an object of plain values has one level. */
export function isDeeper(value: object, levels: number): boolean {
  if (levels === 0) return true;
  if (Array.isArray(value)) {
    for (const item of value)
      if (typeof item === 'object' && item !== null && isDeeper(item, levels - 1)) return true;
    return false;
  }
  const fields = value as Fields;
  for (const name in fields) {
    const item = fields[name];
    if (typeof item === 'object' && item !== null && isDeeper(item, levels - 1)) return true;
  }
  return false;
}
