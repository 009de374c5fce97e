import { STATUS_CODES } from 'node:http';
import { escapeControls } from '../../../core/base/terminal-text.ts';
import type { Task } from '../../../core/record/task.ts';
import type { Outcome } from '../../contract.ts';
import { checked, type HttpOptions } from '../options.ts';
import { makeFolder } from '../private-files.ts';
import type { Hop } from '../request/redirect.ts';
import type { Answer } from '../transport/exchange.ts';
import { asSent, fileResult, type Result, type ResultOptions, result } from './body.ts';
import { compileExpectations, compileStatuses, type Expectation } from './expect.ts';
import { retryOf } from './retry-after.ts';

/** Makes an outcome of the last answer. */
export type Judge = (task: Task, hop: Hop, answer: Answer, again: Again) => Promise<Outcome> | Outcome;

/** What is known of whether a task may be tried again. */
export interface Again {
  /** Whether it may be done twice. */
  readonly mayRepeat: boolean;
  /** Whether a server has acted already, before a redirect. */
  readonly hasActed: boolean;
}

/**
 * Makes a judge of what the options expect.
 * @throws {TaskpipeError} `USAGE` where an option is wrong, `IO` where the folder of `bodyDir` can't be made
 */
export async function createJudge(options: HttpOptions): Promise<Judge> {
  const isExpected = compileStatuses(checked('expectStatus', options.expectStatus) ?? '2xx');
  const expectation = await compileExpectations(options.expectJson, options.expectBody);
  checked('body', options.body);
  const { bodyDir: dir } = options;
  const shape: ResultOptions = { body: options.body ?? 'auto', headers: options.headers ?? false };
  if (dir !== undefined) await makeFolder(dir);
  const outcomeOf = (made: Result, answer: Answer, again: Again): Outcome =>
    isExpected(answer.status) ? judged(made, answer, expectation) : unexpected(made, answer, again);
  return (task, { method, target: { href } }, answer, again) => {
    if (dir === undefined) return outcomeOf(result(answer, method, href, shape), answer, again);
    const writing = fileResult(answer, method, href, task, { ...shape, dir });
    return writing.then((made) => outcomeOf(made, answer, again));
  };
}

function judged({ text, failure }: Result, answer: Answer, expectation: Expectation | undefined): Outcome {
  const error = failure ?? expectation?.(answer);
  return error === undefined ? { result: text } : { result: text, error };
}

/** As much of a server's words beside its status as a message has. */
const MAX_REASON = 200;

function unexpected({ text }: Result, answer: Answer, { mayRepeat, hasActed }: Again): Outcome {
  const reason =
    escapeControls(asSent(answer.reason).slice(0, MAX_REASON)) || (STATUS_CODES[answer.status] ?? '');
  const error = { code: 'HTTP_STATUS', message: `${answer.status} ${reason}`.trim() };
  const retry = retryOf(answer, mayRepeat, hasActed);
  return retry === undefined ? { result: text, error } : { result: text, error, retry };
}
