import { messageOf } from '../../../core/base/errors.ts';
import { compileExpression } from '../../../core/options/jmespath-option.ts';
import { asSent } from '../response/body.ts';
import { loadJmespath } from '../response/jmespath.ts';
import type { JudgeThread } from '../response/judge-thread.ts';
import type { Answer } from '../transport/answer.ts';
import { NextWatch } from './next-watch.ts';

/** Url that a page names as the next one, or a fault if it cannot be determined. */
export type NextPage = { readonly place: string } | { readonly fault: string } | undefined;

/** Function that finds the next page. */
export interface NextFinder {
  /**
   * Returns the next page of a response; undefined if there is none.
   * @param result result of the task, as JSON text
   */
  find(answer: Answer, result: string): Promise<NextPage>;
  /** Watch that reports at the end if no answer had a next page. */
  readonly watch: NextWatch;
  /** Releases its thread. */
  close(): Promise<void>;
}

/** Longest time for finding a page in a large result, in milliseconds. */
const MOST = 2000;

/** Advice for numbers. */
const AS_TEXT = 'to_string() and uri_encode() make text of a number';

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
  const watch = new NextWatch('link');
  const nextOf = (header: string): NextPage => {
    if (!/next/i.test(header)) return undefined;
    try {
      // A link with an anchor belongs to another page, and a link may lack a rel.
      const next = Link.parse(wellFormed(header)).refs.find(
        ({ rel = '', anchor }) => rel.toLowerCase() === 'next' && anchor === undefined,
      );
      return next === undefined ? undefined : { place: next.uri };
    } catch (error) {
      return { fault: `cannot read the header Link: ${messageOf(error)}` };
    }
  };
  return {
    watch,
    async find({ headers }) {
      const next = nextOf(asSent([headers.link ?? []].flat().join(', ')));
      if (next === undefined) watch.missed(undefined);
      else watch.found();
      return next;
    },
    async close() {},
  };
}

/**
 * Returns a header Link that the library reads: without empty elements, which a recipient ignores (RFC 9110, 5.6.1), and
 * without `rel*`, which does not exist.
 */
function wellFormed(header: string): string {
  const elements = header.match(/(?:<[^>]*>|"(?:[^"\\]|\\.)*"|[^,<"]|[<"])+/g) ?? [];
  return elements
    .map((element) => element.trim().replace(/;\s*rel\*\s*=\s*[^;,"]*/gi, ''))
    .filter((element) => element !== '')
    .join(', ');
}

async function expressionFinder(expression: string): Promise<NextFinder> {
  const library = await loadJmespath();
  const watch = new NextWatch(expression);
  const compiled = compileExpression(library, '--next', expression, 'must be link, or a JMESPath expression');
  const { TreeInterpreter } = library;
  let thread: JudgeThread | undefined;
  const onThread = async (result: string): Promise<NextPage> => {
    if (thread === undefined) {
      const { JudgeThread: Thread } = await import('../response/judge-thread.ts');
      thread ??= new Thread({ expression }, MOST);
    }
    const verdict = await thread.judge(result);
    if (verdict === 'late') return { fault: `the expression takes more than ${MOST} ms` };
    return 'fault' in verdict ? faultOf(verdict.fault) : pageOf(verdict.passes ? verdict.value : null);
  };
  const here = (value: unknown): NextPage => {
    try {
      return pageOf(TreeInterpreter.search(compiled, value as never));
    } catch (error) {
      return faultOf(messageOf(error));
    }
  };
  return {
    watch,
    async find(_, result) {
      const isLarge = result.length >= LARGE;
      const value: unknown = isLarge ? undefined : JSON.parse(result);
      const next = isLarge ? await onThread(result) : here(value);
      if (next !== undefined) watch.found();
      else if (isLarge) watch.missedIn(result);
      else watch.missed(value);
      return next;
    },
    close: async () => thread?.close(),
  };
}

/** Returns the page that the value of an expression names. */
function pageOf(value: unknown): NextPage {
  if (value === null || value === undefined || value === false || value === '') return undefined;
  if (typeof value === 'string') return { place: value };
  const kind = Array.isArray(value) ? 'a list' : `${typeof value === 'object' ? 'an' : 'a'} ${typeof value}`;
  const advice = typeof value === 'number' ? `; ${AS_TEXT}` : '';
  return { fault: `its value is ${kind}, not the text of a url${advice}` };
}

/** Returns the fault of an expression that cannot be evaluated. */
function faultOf(message: string): NextPage {
  return { fault: /^invalid type: (?:join|uri_encode)\(/i.test(message) ? `${message} ${AS_TEXT}` : message };
}
