import { messageOf } from '../../../core/base/errors.ts';
import { compileExpression } from '../../../core/options/jmespath-option.ts';
import { InvalidValue } from '../../../core/options/option.ts';
import type { Failure } from '../../../core/record/task.ts';
import type { Answer } from '../transport/answer.ts';
import { textOf } from './charset.ts';
import { contentTypeOf } from './content-type.ts';
import { loadJmespath } from './jmespath.ts';
import type { BodyVerdict, JudgeThread } from './judge-thread.ts';

/** Expectations of the body of a response with an expected status. */
export interface Expectations {
  /** True if anything is expected. */
  readonly isAny: boolean;
  /** Returns the failure of a response; undefined if it meets the expectations. */
  check(answer: Answer): Promise<Failure | undefined>;
  /** Releases its threads. */
  close(): Promise<void>;
}

/**
 * Parses statuses such as `2xx,304,500-599`. Returns a test.
 * @throws {InvalidValue} if the text is not such a list
 */
export function compileStatuses(text: string): (status: number) => boolean {
  const ranges = text.split(',').map((part): [first: number, last: number] => {
    const [, digit, first, last = first] =
      /^(?:([1-5])xx|([1-5]\d\d)(?:-([1-5]\d\d))?)$/i.exec(part.trim()) ?? [];
    if (digit !== undefined) return [Number(digit) * 100, Number(digit) * 100 + 99];
    if (first === undefined || Number(first) > Number(last)) {
      throw new InvalidValue('must be statuses separated by commas, such as 2xx,304,500-599');
    }
    return [Number(first), Number(last)];
  });
  return (status) => ranges.some(([first, last]) => status >= first && status <= last);
}

/** Parses a regular expression from `/re/flags`. @throws {InvalidValue} if it is invalid */
export function compileRegex(text: string): RegExp {
  const [, source, flags = ''] = /^\/(.+)\/([a-z]*)$/s.exec(text) ?? [];
  if (source === undefined)
    throw new InvalidValue('must be a regular expression between slashes, such as /ready/i');
  try {
    // g and y would make a test depend on the one before it.
    return new RegExp(source, flags.replace(/[gy]/g, ''));
  } catch (error) {
    throw new InvalidValue(`must be a regular expression: ${messageOf(error)}`);
  }
}

/** Longest time for judging one body, in milliseconds. `--timeout` may be shorter. */
const MOST = 2000;

/** Length of text from which JMESPath runs on another thread. */
const LARGE = 65_536;

/**
 * Returns the expectations of a body. JMESPath is loaded only if it is used.
 * @param expression in JMESPath; a response passes if its value is true by the rules of JMESPath
 * @param timeout of an attempt, in milliseconds
 * @throws {TaskpipeError} `USAGE` if the expression is invalid
 */
export async function compileExpectations(
  expression: string | undefined,
  pattern: RegExp | undefined,
  timeout: number,
): Promise<Expectations> {
  const all: Expectations[] = [];
  const limit = Math.min(MOST, timeout);
  if (expression !== undefined) all.push(await expectJson(expression, limit));
  if (pattern !== undefined) all.push(await expectBody(pattern, limit));
  return {
    isAny: all.length > 0,
    async check(answer) {
      for (const { check } of all) {
        const failure = await check(answer);
        if (failure !== undefined) return failure;
      }
      return undefined;
    },
    close: async () => void (await Promise.all(all.map(({ close }) => close()))),
  };
}

async function expectBody(pattern: RegExp, limit: number): Promise<Expectations> {
  const fail = (why: string): Failure => ({ code: 'EXPECT_BODY', message: `${why} (--expect-body)` });
  const failure = fail(`the body does not match ${pattern}`);
  const thread = isLinear(pattern) ? undefined : await openThread(pattern, limit);
  return {
    isAny: true,
    async check({ body, headers }) {
      const text = textOf(body, contentTypeOf(headers));
      const verdict = (await thread?.judge(text)) ?? { passes: pattern.test(text) };
      if (verdict === 'late') return fail(`the body takes more than ${limit} ms to match ${pattern}`);
      if ('fault' in verdict) return fail(`cannot match the body: ${verdict.fault}`);
      return verdict.passes ? undefined : failure;
    },
    close: async () => thread?.close(),
  };
}

/** Returns whether the time of a pattern is known to be linear in the length of the text: it repeats nothing. */
function isLinear({ source }: RegExp): boolean {
  return !/[*+?{]|\\[1-9k]/.test(source.replace(/\\[^\dk]/g, ''));
}

async function openThread(pattern: RegExp, limit: number): Promise<JudgeThread> {
  const { JudgeThread: Thread } = await import('./judge-thread.ts');
  return new Thread({ source: pattern.source, flags: pattern.flags }, limit);
}

async function expectJson(expression: string, limit: number): Promise<Expectations> {
  const library = await loadJmespath();
  const { JudgeThread: Thread } = await import('./judge-thread.ts');
  const compiled = compileExpression(library, '--expect-json', expression);
  const { TreeInterpreter } = library;
  const fail = (why: string): Failure => ({
    code: 'EXPECT_JSON',
    message: `${why} (--expect-json ${expression})`,
  });
  const here = (value: unknown): BodyVerdict => {
    try {
      return { passes: isTrue(TreeInterpreter.search(compiled, value as never)) };
    } catch (error) {
      return { fault: messageOf(error) };
    }
  };
  const thread = new Thread({ expression }, limit);
  return {
    isAny: true,
    async check({ body, headers }) {
      const text = textOf(body, contentTypeOf(headers));
      const value = jsonOf(text);
      if (value === undefined) return fail('the body is not JSON');
      const verdict = text.length < LARGE ? here(value) : await thread.judge(text);
      if (verdict === 'late') return fail(`the expression takes more than ${limit} ms on the body`);
      if ('fault' in verdict) return fail(`cannot evaluate the expression on the body: ${verdict.fault}`);
      return verdict.passes ? undefined : fail('the body is not as expected');
    },
    close: () => thread.close(),
  };
}

/** Returns the value of JSON text; undefined if it is not JSON. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns whether a value is true in JMESPath: null, false and empty values are false, 0 is true. */
function isTrue(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '') return false;
  if (typeof value !== 'object') return true;
  return Array.isArray(value) ? value.length > 0 : Object.keys(value).length > 0;
}
