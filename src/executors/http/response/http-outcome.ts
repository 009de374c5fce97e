import { STATUS_CODES } from 'node:http';
import { TaskpipeError } from '../../../core/base/errors.ts';
import { escapeControls } from '../../../core/base/terminal-text.ts';
import type { Task } from '../../../core/record/task.ts';
import type { Outcome } from '../../contract.ts';
import { loginAdvice } from '../auth/login-advice.ts';
import { bodyLimits, checked, type HttpOptions, MAX_AFTER } from '../options.ts';
import type { HttpRequest } from '../request/redirect.ts';
import type { Answer } from '../transport/answer.ts';
import { squidReason } from '../transport/routes/squid-reason.ts';
import { asSent, fileResult, type Result, type ResultOptions, result } from './body.ts';
import { compileExpectations, compileStatuses } from './expect.ts';
import type { BodyPlace, BodyPlaces } from './files/body-places.ts';
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

/** Judges of responses, with their setup and cleanup. */
export interface OpenJudge {
  /** Judge of a response whose body goes into the record. */
  readonly judge: Judge;
  /** Files of bodies; undefined if they go into the records. */
  readonly places: BodyPlaces | undefined;
  /** Returns the judge of a response whose body goes to a place. */
  judgeAt(place: BodyPlace): Judge;
  close(): Promise<void>;
}

/**
 * Returns the judges for the expectations of the options.
 * @param timeout of an attempt, in milliseconds
 * @throws {TaskpipeError} `USAGE` if an option is invalid, `IO` if a folder of `bodyDir` cannot be made
 */
export async function createJudge(options: HttpOptions, timeout: number): Promise<OpenJudge> {
  const isExpected = compileStatuses(checked('expectStatus', options.expectStatus) ?? '2xx');
  const expectations = await compileExpectations(options.expectJson, options.expectBody, timeout);
  checked('body', options.body);
  checked('bodyDir', options.bodyDir);
  const rules = retryRules(options);
  const shape: ResultOptions = { body: options.body ?? 'auto', headers: options.headers ?? false };
  const places = await openPlaces(options, expectations.isAny);
  const outcomeOf = (
    made: Result,
    hop: HttpRequest,
    answer: Answer,
    again: Again,
  ): Outcome | Promise<Outcome> => {
    if (!isExpected(answer.status))
      return unexpected(made, answer, loginAdvice(answer, hop, options), again, rules);
    const outcome = judged(made, answer);
    if (outcome.error !== undefined || !expectations.isAny) return outcome;
    return expectations
      .check(answer)
      .then((error) => (error === undefined ? outcome : { ...outcome, error }));
  };
  return {
    judge: (_, hop, answer, again) =>
      outcomeOf(result(answer, hop.method, hop.target.href, shape), hop, answer, again),
    judgeAt: (place) => async (_, hop, answer, again) => {
      const shapes = { ...shape, isExpected: isExpected(answer.status) };
      const made = await fileResult(answer, hop.method, hop.target.href, place, shapes);
      return outcomeOf(made, hop, answer, again);
    },
    places,
    async close() {
      await places?.close();
      await expectations.close();
    },
  };
}

/** Opens the files of `bodyDir`. @param isJudged true if bodies are judged, and must be in memory */
async function openPlaces(options: HttpOptions, isJudged: boolean): Promise<BodyPlaces | undefined> {
  const { bodyDir, cache } = options;
  if (bodyDir === undefined) return undefined;
  const { BodyPlaces } = await import('./files/body-places.ts');
  const limits = isJudged || cache !== undefined ? undefined : bodyLimits(options);
  const places = await BodyPlaces.open(bodyDir, limits);
  await import('mime'); // loaded now, because later too many files may be open
  return places;
}

function retryRules({ retryStatus, noRetryStatus, maxRetryAfter = MAX_AFTER }: HttpOptions): RetryRules {
  if (noRetryStatus && retryStatus !== undefined)
    throw new TaskpipeError('USAGE', '--retry-status and --no-retry-status contradict each other; give one');
  const list = noRetryStatus ? 'none' : checked('retryStatus', retryStatus);
  return { isRetried: compileRetryStatus(list ?? RETRY_STATUS), most: maxRetryAfter };
}

function judged({ text, failure }: Result, { isStored }: Answer): Outcome {
  const outcome = failure === undefined ? { result: text } : { result: text, error: failure };
  return isStored === true ? { ...outcome, isStored } : outcome;
}

/** Longest reason phrase in a message. */
const MAX_REASON = 200;

function unexpected(
  { text }: Result,
  answer: Answer,
  advice: string,
  { mayRepeat, hasActed }: Again,
  rules: RetryRules,
): Outcome {
  const reason =
    escapeControls(asSent(answer.reason).slice(0, MAX_REASON)) || (STATUS_CODES[answer.status] ?? '');
  const details = squidReason(answer.headers) + advice;
  const error = { code: 'HTTP_STATUS', message: `${answer.status} ${reason}`.trim() + details };
  const retry = retryOf(answer, mayRepeat, hasActed, rules);
  return retry === undefined ? { result: text, error } : { result: text, error, retry };
}
