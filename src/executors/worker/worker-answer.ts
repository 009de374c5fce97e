import { type Member, membersOf } from '../../core/record/json-text.ts';
import { parseTask } from '../../core/record/ndjson.ts';
import { attribute, type Failure, type Fields, type Task } from '../../core/record/task.ts';
import { rawMember } from '../../core/record/template.ts';
import type { Outcome } from '../contract.ts';
import { isRetried, type RetryOn } from '../program/retry-on.ts';

/**
 * A line of a worker, which is a record with the uuid of its task.
 * @returns undefined where it is none
 */
export function parseAnswer(line: string): Task | undefined {
  const answer = parseTask(line);
  return answer === undefined || 'code' in answer ? undefined : answer;
}

/**
 * What an answer says of its task. `error` makes it a failure: `{"code","message"}`, or text. `result` is the result;
 * without it, the members that the task does not have are, as an object. An `error` that the task had already, in an
 * answer that is the whole record, is an attribute.
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

/** The result as it is written in the answer, with every digit. */
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
