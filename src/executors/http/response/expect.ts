import { messageOf, TaskpipeError } from '../../../core/base/errors.ts';
import { InvalidValue } from '../../../core/options/option.ts';
import type { Failure } from '../../../core/record/task.ts';
import type { Answer } from '../transport/exchange.ts';
import { textOf } from './charset.ts';
import { contentTypeOf } from './content-type.ts';

/** Function that returns the failure of a response with an expected status; undefined if it is as wanted. */
export type Expectation = (answer: Answer) => Failure | undefined;

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

/**
 * Returns what is expected of a body. JMESPath is loaded only if it is used.
 * @param expression in JMESPath; a response passes if its value is true by the rules of JMESPath
 * @throws {TaskpipeError} `USAGE` if the expression is invalid
 */
export async function compileExpectations(
  expression: string | undefined,
  pattern: RegExp | undefined,
): Promise<Expectation | undefined> {
  const expectations: Expectation[] = [];
  if (expression !== undefined) expectations.push(await expectJson(expression));
  if (pattern !== undefined) {
    const failure = { code: 'EXPECT_BODY', message: `the body does not match ${pattern} (--expect-body)` };
    expectations.push(({ body, headers }) =>
      pattern.test(textOf(body, contentTypeOf(headers))) ? undefined : failure,
    );
  }
  if (expectations.length === 0) return undefined;
  return (answer) => {
    for (const expectation of expectations) {
      const failure = expectation(answer);
      if (failure !== undefined) return failure;
    }
    return undefined;
  };
}

async function expectJson(expression: string): Promise<Expectation> {
  const { compile, TreeInterpreter } = await import('@jmespath-community/jmespath');
  let compiled: ReturnType<typeof compile>;
  try {
    compiled = compile(expression);
  } catch (error) {
    const message = `--expect-json must be a JMESPath expression; got ${JSON.stringify(expression)}: ${messageOf(error)}`;
    throw new TaskpipeError('USAGE', message, { cause: error });
  }
  const fail = (why: string): Failure => ({
    code: 'EXPECT_JSON',
    message: `${why} (--expect-json ${expression})`,
  });
  return ({ body, headers }) => {
    let value: unknown;
    try {
      value = JSON.parse(textOf(body, contentTypeOf(headers)));
    } catch {
      return fail('the body is not JSON');
    }
    try {
      const found: unknown = TreeInterpreter.search(compiled, value as never);
      return isTrue(found) ? undefined : fail('the body is not as expected');
    } catch (error) {
      return fail(`cannot evaluate the expression on the body: ${messageOf(error)}`);
    }
  };
}

/** Returns whether a value is true in JMESPath: null, false and empty values are false, 0 is true. */
function isTrue(value: unknown): boolean {
  if (value === null || value === undefined || value === false || value === '') return false;
  if (typeof value !== 'object') return true;
  return Array.isArray(value) ? value.length > 0 : Object.keys(value).length > 0;
}
