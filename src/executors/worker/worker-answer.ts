import { type Member, membersOf } from '../../core/record/json-text.ts';
import { parseTask } from '../../core/record/ndjson.ts';
import { attribute, type Failure, type Fields, type Task } from '../../core/record/task.ts';
import { rawMember } from '../../core/record/template.ts';
import type { Outcome } from '../contract.ts';
import { isRetried, type RetryOn } from '../program/retry-on.ts';

/**
 * Parses a line of a worker: a record with the uuid of its task.
 * @returns undefined if it is not one
 */
export function parseAnswer(line: string): Task | undefined {
  if (line.charCodeAt(0) !== 123 && !/^\s*\{/.test(line)) return undefined; // an error for each line would be slow
  const answer = parseTask(line);
  return answer === undefined || 'code' in answer ? undefined : answer;
}

/**
 * Returns the outcome that an answer describes. `error` makes it a failure: `{"code","message"}`, or text.
 * `result` is the result; without it, the result is an object of the members that the task does not have. An
 * `error` that the task already had, in an answer that repeats the whole record, is an attribute.
 */
export function outcomeOf(answer: Task, task: Task, retryOn: RetryOn): Outcome {
  const result = resultOf(answer, task);
  const made: Outcome = result === undefined ? {} : { result };
  const given = attribute(answer.fields, 'error');
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
  if (Object.hasOwn(answer.fields, 'result')) return rawMember(answer.line, 'result');
  if (Object.keys(answer.fields).every((key) => isOld(key, task.fields))) return undefined;
  const added = membersOf(answer.line).filter(({ key }) => !isOld(key, task.fields));
  return `{${added.map((member) => textOf(member, answer.line)).join(',')}}`;
}

function isOld(key: string, fields: Fields): boolean {
  return key === 'uuid' || key === 'run' || key === 'error' || Object.hasOwn(fields, key);
}

function textOf({ start, end }: Member, line: string): string {
  return line.slice(start, end);
}
