import { type Member, membersOf } from '../../core/record/json-text.ts';
import { parseTask, type RecordReject } from '../../core/record/ndjson.ts';
import { attribute, type Failure, type Task } from '../../core/record/task.ts';
import { rawMember } from '../../core/record/template.ts';
import type { Outcome } from '../contract.ts';
import { isRetried, type RetryOn } from '../program/retry-on.ts';

/**
 * Parses a line of a worker: a record with the uuid of its task.
 * @returns the fault of an invalid line; undefined if the line is not meant to be an answer
 */
export function parseAnswer(line: string): Task | RecordReject | undefined {
  // Creating an error for each line of a flood would be slow.
  return line.charCodeAt(0) === 123 || /^\s*\{/.test(line) ? parseTask(line) : undefined;
}

/** Faults of a line that is meant to be an answer, even if it does not show for which task. */
const OF_ANSWERS: ReadonlySet<string> = new Set(['DEPTH', 'UTF8']);

/**
 * Finds the task that an invalid answer is for: the only task whose uuid occurs in it, or the only task of the
 * worker.
 * @param tasks those that the worker has, by uuid
 */
export function ownerOf<T>(line: string, fault: RecordReject, tasks: ReadonlyMap<string, T>): T | undefined {
  // A line that is cut in the middle was torn by the end of its worker.
  if (tasks.size === 0 || !/^\s*\{.*\}\s*$/s.test(line)) return undefined;
  const named = new Set<T>();
  for (const uuid of uuidsIn(line)) {
    const task = tasks.get(uuid);
    if (task !== undefined) named.add(task);
  }
  const isOnlyOne = tasks.size === 1 && OF_ANSWERS.has(fault.code);
  const found = named.size === 0 && isOnlyOne ? tasks : named;
  return found.size === 1 ? (found.values().next().value as T) : undefined;
}

/** Returns the uuids that occur in an invalid answer. */
export function uuidsIn(line: string): ReadonlySet<string> {
  const texts = line.matchAll(/"uuid"\s*:\s*("(?:[^"\\]|\\.)*")/g);
  return new Set([...texts].map(([, text]) => textIn(text as string)));
}

function textIn(json: string): string {
  try {
    return String(JSON.parse(json));
  } catch {
    return '';
  }
}

/**
 * Returns the outcome that an answer describes. `error` makes it a failure: `{"code","message"}`, or text.
 * `result` is the result; without it, the result is an object of the members that the task does not have. An
 * `error` that the task already had, in an answer that repeats the whole record, is an attribute.
 */
export function outcomeOf(answer: Task, task: Task, retryOn: RetryOn): Outcome {
  const result = resultOf(answer, task);
  const made: Outcome = result === undefined ? {} : { result };
  const given = answer.has('error') ? attribute(answer.fields, 'error') : undefined;
  if (given === undefined || given === null || given === false || isEcho(given, task)) return made;
  const { retry } = Object(given) as { retry?: unknown };
  const again = retry === true || isRetried(retryOn, 'error');
  return { ...made, error: failureOf(given), ...(again ? { retry: {} } : {}) };
}

function failureOf(given: unknown): Failure {
  const { code, message } = Object(given) as { code?: unknown; message?: unknown };
  const words = message ?? given;
  return {
    code: typeof code === 'string' || typeof code === 'number' ? String(code) : 'ERROR',
    message: typeof words === 'string' ? words : JSON.stringify(words),
  };
}

function isEcho(given: unknown, { fields }: Task): boolean {
  return Object.hasOwn(fields, 'error') && JSON.stringify(given) === JSON.stringify(fields.error);
}

/** Returns the result as written in the answer, with all digits. */
function resultOf(answer: Task, task: Task): string | undefined {
  if (answer.has('result')) return textAfterUuid(answer) ?? rawMember(answer.line, 'result');
  if (answer.line === task.line) return undefined;
  const added = membersOf(answer.line).filter(({ key }) => !isOld(key, task));
  return added.length === 0 ? undefined : `{${added.map((member) => textOf(member, answer.line)).join(',')}}`;
}

/** Beginning of an answer up to its result, if only the uuid is before it. */
const START = /^\{"uuid": ?"[^"\\]*", ?"result": ?/;

/**
 * Returns the result of an answer that has only a uuid and a result; undefined if that is not certain without a
 * search. The members of the result are not read, as `rawMember` reads them: the result may be long.
 */
function textAfterUuid({ line, fields }: Task): string | undefined {
  const start = START.exec(line)?.[0].length;
  if (start === undefined || Object.keys(fields).length !== 2) return undefined;
  // A later member of the same name would take precedence.
  const hasOthers =
    line.lastIndexOf('"uuid"') > start || line.lastIndexOf('"result"') > start || line.includes('\\u', start);
  return hasOthers ? undefined : line.slice(start, -1).trim();
}

function isOld(key: string, task: Task): boolean {
  return key === 'uuid' || key === 'run' || key === 'error' || task.has(key);
}

function textOf({ start, end }: Member, line: string): string {
  return line.slice(start, end);
}
