import { messageOf, TaskpipeError } from '../../../core/base/errors.ts';
import { asSent } from '../response/body.ts';
import type { JudgeThread } from '../response/judge-thread.ts';
import type { Answer } from '../transport/answer.ts';

/** Place that a page names as the next one; a fault if it cannot be found out. */
export type NextPage = { readonly place: string } | { readonly fault: string } | undefined;

/** Function that finds the next page. */
export interface NextFinder {
  /**
   * Returns the next page of a response; undefined if there is none.
   * @param result result of the task, as JSON text
   */
  find(answer: Answer, result: string): Promise<NextPage>;
  /** Releases its thread. */
  close(): Promise<void>;
}

/** Longest time for finding a page in a large result, in milliseconds. */
const MOST = 2000;

/** Length of a result from which JMESPath runs on another thread. */
const LARGE = 65_536;

/**
 * Returns the finder of `--next`. The libraries are loaded only if they are used.
 * @throws {TaskpipeError} `USAGE` if the expression is invalid
 */
export async function openNextFinder(expression: string): Promise<NextFinder> {
  return expression === 'link' ? linkFinder() : expressionFinder(expression);
}

async function linkFinder(): Promise<NextFinder> {
  const { default: Link } = await import('http-link-header');
  return {
    async find({ headers }) {
      const text = asSent([headers.link ?? []].flat().join(', '));
      if (!/next/i.test(text)) return undefined;
      try {
        // A link with an anchor is one of another page.
        const next = Link.parse(text).refs.find(
          ({ rel, anchor }) => rel.toLowerCase() === 'next' && anchor === undefined,
        );
        return next === undefined ? undefined : { place: next.uri };
      } catch (error) {
        return { fault: `cannot read the header Link: ${messageOf(error)}` };
      }
    },
    async close() {},
  };
}

async function expressionFinder(expression: string): Promise<NextFinder> {
  const { compile, TreeInterpreter } = await import('@jmespath-community/jmespath');
  let compiled: ReturnType<typeof compile>;
  try {
    compiled = compile(expression);
  } catch (error) {
    const message = `--next must be link, or a JMESPath expression; got ${JSON.stringify(expression)}: ${messageOf(error)}`;
    throw new TaskpipeError('USAGE', message, { cause: error });
  }
  let thread: JudgeThread | undefined;
  const onThread = async (result: string): Promise<NextPage> => {
    if (thread === undefined) {
      const { JudgeThread: Thread } = await import('../response/judge-thread.ts');
      thread ??= new Thread({ expression }, MOST);
    }
    const verdict = await thread.judge(result);
    if (verdict === 'late') return { fault: `the expression takes more than ${MOST} ms` };
    return 'fault' in verdict ? verdict : pageOf(verdict.passes ? verdict.value : null);
  };
  return {
    async find(_, result) {
      if (result.length >= LARGE) return onThread(result);
      try {
        return pageOf(TreeInterpreter.search(compiled, JSON.parse(result)));
      } catch (error) {
        return { fault: messageOf(error) };
      }
    },
    close: async () => thread?.close(),
  };
}

/** Returns the page that the value of an expression names. */
function pageOf(value: unknown): NextPage {
  if (value === null || value === undefined || value === false || value === '') return undefined;
  if (typeof value === 'string') return { place: value };
  const kind = Array.isArray(value) ? 'a list' : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
  return { fault: `its value is ${kind}, not the text of a url` };
}
