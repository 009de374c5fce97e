import { jsonFault } from '../base/errors.ts';
import type { RowForm } from '../simd/row-form.ts';
import {
  type BadInput,
  type LineOptions,
  type Lines,
  MAX_LINE,
  readBlocks,
  readLines,
  splitLines,
} from '../text/lines.ts';
import { recordChecker, stringFinder } from './json-grammar.ts';
import { minify, opensDeeper } from './json-text.ts';
import { Shapes } from './shape-cache.ts';
import { type Fields, Task, uuidFault } from './task.ts';

/** One record of NDJSON. */
export interface JsonRecord {
  /** Text of the record, from `{` to `}`. */
  readonly text: string;
  readonly fields: Fields;
  /** Number of its line, from 1. */
  readonly line: number;
}

/**
 * Maximum nesting of a record. `JSON.parse` takes a million levels, but `JSON.stringify` fails at five
 * thousand.
 */
export const MAX_DEPTH = 64;

/** Reason a line was rejected. */
export type RecordReject = Pick<BadInput, 'code' | 'message'>;

const TOO_DEEP: RecordReject = { code: 'DEPTH', message: `nested over ${MAX_DEPTH} levels` };

/** Length above which the nesting of a text is checked before the text is parsed, in characters. */
const LARGE = 256 * 1024;

/**
 * Reads lines and yields a batch for each chunk that completes some. Blank lines are skipped.
 * @param parse returns the item of a line, or the reason to reject the line; undefined for a blank line
 */
export async function* parseLines<T extends object>(
  chunks: AsyncIterable<Buffer>,
  options: LineOptions,
  parse: (text: string, line: number) => T | RecordReject | undefined,
): AsyncGenerator<T[]> {
  for await (const lines of readLines(chunks, options)) yield parsedLines(lines, options, parse);
}

/** Returns the items of lines. @param parse see `parseLines` */
export function parsedLines<T extends object>(
  { texts, first, faults }: Lines,
  { source, reject }: LineOptions,
  parse: (text: string, line: number) => T | RecordReject | undefined,
): T[] {
  const batch: T[] = [];
  for (let i = 0; i < texts.length; i++) {
    const text = texts[i] as string;
    const parsed = text === '' ? faults?.get(i) : parse(text, first + i);
    if (parsed === undefined) continue;
    if ('code' in parsed) reject({ source, line: first + i, text, ...parsed });
    else batch.push(parsed);
  }
  return batch;
}

/** Reads NDJSON. Lines that are not JSON objects are rejected. */
export function readJsonRecords(
  chunks: AsyncIterable<Buffer>,
  options: LineOptions,
): AsyncGenerator<JsonRecord[]> {
  return parseLines(chunks, options, (text, line) => {
    const record = parseRecord(text);
    return record === undefined || 'code' in record ? record : { ...record, line };
  });
}

export interface TaskOptions extends LineOptions {
  /** Returns the form in which the rows of the next tasks are written; undefined if there is none (yet). */
  readonly form?: (() => RowForm | undefined) | undefined;
}

/** Reads tasks: records with a `uuid`, the format between two stages. */
export function readTasks(chunks: AsyncIterable<Buffer>, options: TaskOptions): AsyncGenerator<Task[]> {
  const { form, maxLine = MAX_LINE } = options;
  const parse = taskParser();
  if (form === undefined) return parseLines(chunks, options, parse);
  return readBlocks(chunks, options, function* (bytes, first) {
    const block = form()?.write(bytes);
    if (block === undefined) {
      const lines = splitLines(bytes, first, maxLine);
      yield parsedLines(lines, options, parse);
      return lines.texts.length;
    }
    const tasks: Task[] = [];
    let line = first;
    const parseFrom = (from: number, before: number): void => {
      const lines = splitLines(bytes.subarray(from, before), line, maxLine);
      for (const task of parsedLines(lines, options, parse)) tasks.push(task);
      line += lines.texts.length;
    };
    let parsed = 0; // end of the lines that became tasks
    for (let i = 0; i < block.count; i++) {
      if (!block.hasRow(i, maxLine)) continue;
      const start = block.startOf(i);
      if (parsed < start) parseFrom(parsed, start - 1);
      tasks.push(Task.ofRow(block, i));
      line++;
      parsed = block.startOf(i + 1);
    }
    if (parsed <= bytes.length) parseFrom(parsed, bytes.length);
    yield tasks;
    return line - first;
  });
}

/** Returns a function that returns the task of a line, like `parseTask`, and learns the shapes of records. */
function taskParser(): (text: string) => Task | RecordReject | undefined {
  const shapes = new Shapes();
  return (text) => {
    const line = trimmed(text);
    const uuid = shapes.match(line);
    if (uuid !== undefined && uuidFault(uuid) === undefined)
      return new Task(uuid, line, undefined, shapes.shape, shapes.values);
    const task = parseTask(line);
    if (task instanceof Task) shapes.missed(line);
    return task;
  };
}

const uuidIn = stringFinder('uuid');

/** Returns the task of a line, or the reason to reject the line; undefined for a blank line. */
export function parseTask(line: string): Task | RecordReject | undefined {
  const known = uuidIn(line);
  if (known !== undefined && uuidFault(known) === undefined) return new Task(known, line);
  const record = parseRecord(line);
  if (record === undefined || 'code' in record) return record;
  const { uuid } = record.fields;
  const fault = uuidFault(uuid);
  return fault === undefined
    ? new Task(uuid as string, record.text, record.fields)
    : { code: 'UUID', message: fault };
}

/** Returns a line without white space around it. Most lines have none: only the ends of others are searched. */
function trimmed(line: string): string {
  return line.charCodeAt(0) === 123 && line.charCodeAt(line.length - 1) === 125 ? line : line.trim();
}

/** Returns the record of a line, or the reason to reject the line; undefined for a blank line. */
export function parseRecord(line: string): { text: string; fields: Fields } | RecordReject | undefined {
  const text = trimmed(line);
  if (text === '') return undefined;
  // Only long texts can have so many levels that parsing takes many times the memory of the text.
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

/** Returns whether a parsed value has more than `levels` levels; an object of plain values has one level. */
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

/** Maximum nesting of a body kept as JSON. Inside a record it must stay within the limit of `readTasks`. */
const MAX_BODY_DEPTH = 60;

/** Body as JSON on one line, with every digit; or the reason it is invalid. */
export type JsonBody = { readonly text: string } | { readonly fault: string };

const isPlainRecord = recordChecker();

/**
 * Checks a body, and puts it on one line. @param isPlain returns true if a text is certain to be a JSON object of a
 * few levels
 */
export function jsonBody(text: string, isPlain: (text: string) => boolean = isPlainRecord): JsonBody {
  if (isPlain(text)) return { text: minify(text) };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    return { fault: jsonFault(error) };
  }
  if (typeof value === 'object' && value !== null && isDeeper(value, MAX_BODY_DEPTH)) {
    return { fault: `nested over ${MAX_BODY_DEPTH} levels` };
  }
  return { text: minify(text) };
}
