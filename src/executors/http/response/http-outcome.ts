import { STATUS_CODES } from 'node:http';
import { TaskpipeError } from '../../../core/base/errors.ts';
import { escapeControls } from '../../../core/base/terminal-text.ts';
import type { Task } from '../../../core/record/task.ts';
import type { Outcome } from '../../contract.ts';
import { checked, type HttpOptions, MAX_AFTER } from '../options.ts';
import { makeFolder } from '../private-files.ts';
import type { HttpRequest } from '../request/redirect.ts';
import type { Answer, OpenSink } from '../transport/answer.ts';
import { asSent, bodyPath, fileResult, type Result, type ResultOptions, result } from './body.ts';
import { compileExpectations, compileStatuses } from './expect.ts';
import { compileRetryStatus, RETRY_STATUS, type RetryRules, retryOf } from './retry-after.ts';

/** Function that turns the last response into an outcome. */
export type Judge = (
  task: Task,
  hop: HttpRequest,
  answer: Answer,
  again: Again,
) => Promise<Outcome> | Outcome;

/** Facts about whether a request may be repeated. */
export interface Again {
  /** True if the request may be sent twice. */
  readonly mayRepeat: boolean;
  /** True if a server has already acted, before a redirect. */
  readonly hasActed: boolean;
}

/** Judge, with what it needs before and after. */
export interface OpenJudge {
  readonly judge: Judge;
  /** Returns the function that opens a file for the body of a task; undefined if bodies stay in memory. */
  readonly openFile: ((task: Task) => OpenSink) | undefined;
  close(): Promise<void>;
}

async function bodyFiles(dir: string): Promise<(task: Task) => OpenSink> {
  const { BodyFile } = await import('./body-file.ts');
  return ({ uuid }) => {
    const path = bodyPath(dir, uuid);
    return (headers, first, limit, onError) => new BodyFile(path, headers, first, limit, onError);
  };
}

/**
 * Returns the judge for the expectations of the options.
 * @param timeout of an attempt, in milliseconds
 * @throws {TaskpipeError} `USAGE` if an option is invalid, `IO` if the folder of `bodyDir` cannot be made
 */
export async function createJudge(options: HttpOptions, timeout: number): Promise<OpenJudge> {
  const isExpected = compileStatuses(checked('expectStatus', options.expectStatus) ?? '2xx');
  const expectations = await compileExpectations(options.expectJson, options.expectBody, timeout);
  checked('body', options.body);
  const rules = retryRules(options);
  const { bodyDir: dir } = options;
  const shape: ResultOptions = { body: options.body ?? 'auto', headers: options.headers ?? false };
  // Bodies that are judged themselves must be in memory.
  const openFile = dir === undefined || expectations.isAny ? undefined : await bodyFiles(dir);
  if (dir !== undefined) {
    await makeFolder(dir);
    await import('mime'); // later, too many files may be open to load it
  }
  const outcomeOf = (made: Result, answer: Answer, again: Again): Outcome | Promise<Outcome> => {
    if (!isExpected(answer.status)) return unexpected(made, answer, again, rules);
    const outcome = judged(made);
    if (outcome.error !== undefined || !expectations.isAny) return outcome;
    return expectations
      .check(answer)
      .then((error) => (error === undefined ? outcome : { ...outcome, error }));
  };
  const judge: Judge = (task, { method, target: { href } }, answer, again) => {
    if (dir === undefined) return outcomeOf(result(answer, method, href, shape), answer, again);
    const writing = fileResult(answer, method, href, task, { ...shape, dir });
    return writing.then((made) => outcomeOf(made, answer, again));
  };
  return { judge, openFile, close: expectations.close };
}

function retryRules({ retryStatus, noRetryStatus, maxRetryAfter = MAX_AFTER }: HttpOptions): RetryRules {
  if (noRetryStatus && retryStatus !== undefined)
    throw new TaskpipeError('USAGE', '--retry-status and --no-retry-status contradict each other; give one');
  const list = noRetryStatus ? 'none' : checked('retryStatus', retryStatus);
  return { isRetried: compileRetryStatus(list ?? RETRY_STATUS), most: maxRetryAfter };
}

function judged({ text, failure }: Result): Outcome {
  return failure === undefined ? { result: text } : { result: text, error: failure };
}

/** Longest reason phrase in a message. */
const MAX_REASON = 200;

function unexpected(
  { text }: Result,
  answer: Answer,
  { mayRepeat, hasActed }: Again,
  rules: RetryRules,
): Outcome {
  const reason =
    escapeControls(asSent(answer.reason).slice(0, MAX_REASON)) || (STATUS_CODES[answer.status] ?? '');
  const error = { code: 'HTTP_STATUS', message: `${answer.status} ${reason}`.trim() };
  const retry = retryOf(answer, mayRepeat, hasActed, rules);
  return retry === undefined ? { result: text, error } : { result: text, error, retry };
}
