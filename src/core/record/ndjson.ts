import { jsonFault } from '../base/errors.ts';
import { type BadInput, type LineOptions, readLines } from '../text/lines.ts';
import type { Shape } from './json-shape.ts';
import { opensDeeper } from './json-text.ts';
import { Shapes } from './shape-cache.ts';
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

/** Why a line is not what is read. */
export type RecordReject = Pick<BadInput, 'code' | 'message'>;

const TOO_DEEP: RecordReject = { code: 'DEPTH', message: `nested over ${MAX_DEPTH} levels` };

/** A text of so many characters is looked at for its nesting before it is parsed. */
const LARGE = 256 * 1024;

/**
 * Reads lines, a batch for each chunk. Blank lines are skipped.
 * @param parse what a line is, or why it is none, which is rejected; undefined where it is blank
 */
export async function* parseLines<T extends object>(
  chunks: AsyncIterable<Buffer>,
  options: LineOptions,
  parse: (text: string, line: number) => T | RecordReject | undefined,
): AsyncGenerator<T[]> {
  const { source, reject } = options;
  for await (const { texts, first, faults } of readLines(chunks, options)) {
    const batch: T[] = [];
    for (let i = 0; i < texts.length; i++) {
      const text = texts[i] as string;
      const parsed = text === '' ? faults?.get(i) : parse(text, first + i);
      if (parsed === undefined) continue;
      if ('code' in parsed) reject({ source, line: first + i, text, ...parsed });
      else batch.push(parsed);
    }
    yield batch;
  }
}

/** Reads NDJSON; a line that is not a JSON object is rejected. */
export function readJsonRecords(
  chunks: AsyncIterable<Buffer>,
  options: LineOptions,
): AsyncGenerator<JsonRecord[]> {
  return parseLines(chunks, options, (text, line) => {
    const record = parseRecord(text);
    return record === undefined || 'code' in record ? record : { ...record, line };
  });
}

/** Reads tasks, which are records with a `uuid`: what stands between two stages. */
export function readTasks(chunks: AsyncIterable<Buffer>, options: LineOptions): AsyncGenerator<Task[]> {
  const shapes = new Shapes();
  return parseLines(chunks, options, (line) => {
    const values = shapes.match(line);
    const shape = shapes.shape as Shape;
    const uuid = values?.[shape.uuid];
    if (uuid !== undefined && uuidFault(uuid) === undefined)
      return new Task(uuid, line, undefined, shape, values);
    const task = parseTask(line);
    if (task instanceof Task) shapes.missed(line);
    return task;
  });
}

/** A line as a task, or why it is none; undefined where it is blank. */
export function parseTask(line: string): Task | RecordReject | undefined {
  const record = parseRecord(line);
  if (record === undefined || 'code' in record) return record;
  const { uuid } = record.fields;
  const fault = uuidFault(uuid);
  return fault === undefined
    ? new Task(uuid as string, record.text, record.fields)
    : { code: 'UUID', message: fault };
}

/** A line as a record, or why it is none; undefined where it is blank. */
export function parseRecord(line: string): { text: string; fields: Fields } | RecordReject | undefined {
  let text = line;
  if (line.charCodeAt(0) !== 123 || line.charCodeAt(line.length - 1) !== 125) {
    text = line.trim();
    if (text === '') return undefined;
  }
  // Only where there is room for so many that parsing them would take memory many times that of the text.
  if (text.length > LARGE && opensDeeper(text, MAX_DEPTH)) return TOO_DEEP;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { code: 'JSON', message: `not JSON: ${jsonFault(error)}` };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return { code: 'OBJECT', message: `expected a JSON object, got ${kindOf(value)}` };
  }
  if (isDeeper(value, MAX_DEPTH)) return TOO_DEEP;
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
