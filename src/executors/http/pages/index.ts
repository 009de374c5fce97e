/*
 * Pages of --next: each page with a next page adds a task for it. Owns the attribute "paging". Must not know how
 * added tasks are kept: that is for the stage.
 */
import { TaskpipeError } from '../../../core/base/errors.ts';
import { quoted } from '../../../core/base/terminal-text.ts';
import { IdSet } from '../../../core/ids/index.ts';
import type { Failure, Task } from '../../../core/record/task.ts';
import type { Outcome } from '../../contract.ts';
import { type HttpOptions, keptHeaders } from '../options.ts';
import { type Request, type RequestDefaults, requestOf, targetOf, urlOf } from '../request/build-request.ts';
import { headerValue, mergeHeaders, withoutHeaders } from '../request/headers.ts';
import { type HttpRequest, isCrossing } from '../request/redirect.ts';
import { originOf, parseTarget, shownUrl, type Target } from '../request/target.ts';
import type { Judge, OpenJudge } from '../response/http-outcome.ts';
import { type NextFinder, openNextFinder } from './next-page.ts';
import { MAX_PAGES } from './page-options.ts';
import { FOREIGN, firstTask, PAGING, type Page, pageIn, pageTask } from './page-task.ts';

/** Pages of one run. */
export interface Pages {
  /** Returns judges whose outcomes have the task of the next page. */
  judges(judges: OpenJudge): OpenJudge;
  /** Returns the request of a task, which may be a page. */
  requestOf(task: Task): Request | Failure;
  /** Returns a task with its page number, for templates that use it; a task of the input is page 1. */
  placed(task: Task): Task;
  /** Returns the lane of a page; undefined if the task is one of the input. */
  laneOf(task: Task): string | undefined;
}

/** Page that was fetched. */
interface Fetched {
  readonly outcome: Outcome;
  readonly task: Task;
  /** Target of its task. */
  readonly own: Target;
  readonly page: Page;
  /** Target after redirects. */
  readonly last: Target;
}

/** Number of messages about pages that end early. Further ones are not shown. */
const MESSAGES = 20;

/** Opens the pages of `--next`. @throws {TaskpipeError} `USAGE` if an option is invalid */
export async function openPages(
  next: string,
  options: HttpOptions,
  defaults: RequestDefaults,
): Promise<Pages> {
  const needsBody = next !== 'link';
  if (needsBody && options.bodyDir !== undefined)
    throw new TaskpipeError(
      'USAGE',
      '--next EXPR reads the result, and --body-dir takes the body out of it; use --next link, or leave out --body-dir',
    );
  const finder = await openNextFinder(next);
  return new PageRun(finder, next, options, defaults);
}

class PageRun implements Pages {
  readonly #finder: NextFinder;
  readonly #option: string;
  readonly #defaults: RequestDefaults;
  /** Defaults for pages, which have their own url. */
  readonly #ofPages: RequestDefaults;
  readonly #most: number;
  readonly #keeps: ReadonlySet<string>;
  readonly #info: (message: string) => void;
  /** True if a template has the place of a page in it. */
  readonly #usesPlace: boolean;
  /** Uuids of the pages that were found in this run. */
  readonly #found = new IdSet();
  #messages = 0;

  constructor(finder: NextFinder, next: string, options: HttpOptions, defaults: RequestDefaults) {
    this.#finder = finder;
    this.#option = `--next ${next}`;
    this.#defaults = defaults;
    this.#ofPages = { ...defaults, url: undefined };
    this.#most = options.maxPages ?? MAX_PAGES;
    this.#keeps = keptHeaders(options);
    this.#info = options.info ?? (() => {});
    const { url, data, form, bodyFile, bodyDir } = options;
    this.#usesPlace = JSON.stringify([url, data, form, bodyFile, bodyDir]).includes(`{${PAGING}`);
  }

  judges(judges: OpenJudge): OpenJudge {
    return {
      ...judges,
      judge: this.#withNext(judges.judge),
      judgeAt: (place) => this.#withNext(judges.judgeAt(place)),
      close: async () => {
        await Promise.all([judges.close(), this.#finder.close()]);
        const message = this.#finder.watch.message();
        if (message !== undefined) this.#info(message);
      },
    };
  }

  placed(task: Task): Task {
    if (!this.#usesPlace || pageIn(task) !== undefined) return task;
    const target = targetOf(task, this.#defaults);
    // The template of the url may need the place itself.
    const { href, origin } = 'code' in target ? { href: '', origin: '' } : target;
    return firstTask(task, { page: 1, start: task.uuid, first: href, origin });
  }

  laneOf(task: Task): string | undefined {
    const isPage = pageIn(task) !== undefined;
    if (!isPage && !this.#usesPlace) return undefined;
    const url = isPage ? urlOf(task, undefined) : urlOf(this.placed(task), this.#defaults.url);
    return typeof url === 'string' ? originOf(url) : '';
  }

  requestOf(task: Task): Request | Failure {
    const page = pageIn(task);
    if (page === undefined) return requestOf(this.placed(task), this.#defaults);
    const request = requestOf(task, this.#ofPages);
    if ('code' in request) return request;
    if (request.target.origin !== page.origin) return this.#bare(request);
    // The url of a template may contain a user, which is not written into the record of a page.
    const { authorization } = this.#templateTarget(task, page) ?? request.target;
    if (authorization === undefined || headerValue(request.headers, 'authorization') !== undefined)
      return request;
    return { ...request, headers: mergeHeaders(['Authorization', authorization], request.headers) };
  }

  /** Returns the request for another origin, which must not get headers with secrets, or a body. */
  #bare(request: Request): Request & Pick<HttpRequest, 'isForeign'> {
    const method = request.method === 'HEAD' ? 'HEAD' : 'GET';
    const isSecret = (name: string): boolean => !isCrossing(name, this.#keeps) || name.startsWith('content-');
    const headers = withoutHeaders(request.headers, isSecret);
    return { ...request, method, headers, content: undefined, isForeign: true };
  }

  /** Returns the url that `--url` makes from the attributes of a page, if it has the same origin. */
  #templateTarget(task: Task, page: Page): Target | undefined {
    if (this.#defaults.url === undefined) return undefined;
    const target = targetOf(task, this.#defaults);
    return 'code' in target || target.origin !== page.origin ? undefined : target;
  }

  #withNext(judge: Judge): Judge {
    return async (task, hop, answer, again) => {
      const judged = await judge(task, hop, answer, again);
      const own = this.#ownTarget(task);
      const known = pageIn(task);
      const page = known ?? { page: 1, start: task.uuid, first: own.href, origin: own.origin };
      const outcome = known === undefined ? { ...judged, task: firstTask(task, page) } : judged;
      if (outcome.error !== undefined || outcome.result === undefined) return outcome;
      if (page.page > 1) this.#finder.watch.found();
      const next = await this.#finder.find(answer, outcome.result);
      if (next === undefined) return outcome;
      const fault = 'fault' in next ? next.fault : undefined;
      const target = 'fault' in next ? undefined : nextTarget(next.place, hop.target.href);
      if (target === undefined || 'code' in target) return failed(outcome, this.#option, fault ?? target);
      return this.#added({ outcome, task, own, page, last: hop.target }, target);
    };
  }

  /** Returns the outcome with the task of the next page, unless its pages end here. */
  #added({ outcome, task, own, page: before, last }: Fetched, next: Target): Outcome {
    const number = before.page + 1;
    if ([last.href, own.href, before.first].includes(next.href)) {
      this.#tell(`page ${before.page} of ${quoted(before.start)} leads back to ${shownUrl(next.href)}`);
      return outcome;
    }
    if (number > this.#most) {
      const message = `${before.page} pages of ${quoted(before.start)} were fetched, and there are more`;
      this.#tell(`${message}, from ${shownUrl(next.href)} on (--max-pages)`);
      return outcome;
    }
    const page = { ...before, page: number, origin: last.origin === before.origin ? last.origin : FOREIGN };
    const child = pageTask(task, withUserOf(own, next, task, this.#defaults), page);
    // The stage skips a page that it knows. It is passed on anyway, because a task that runs twice finds the same page
    // twice.
    if (!this.#found.add(child.uuid))
      this.#tell(`page ${before.page} of ${quoted(before.start)} leads back to ${shownUrl(next.href)}`);
    return { ...outcome, children: [{ task: child, front: false, again: false }] };
  }

  #ownTarget(task: Task): Target {
    const isPage = pageIn(task) !== undefined;
    const target = isPage ? targetOf(task, this.#ofPages) : targetOf(this.placed(task), this.#defaults);
    if ('code' in target) throw new Error(target.message); // the request was made from it
    return target;
  }

  #tell(what: string): void {
    if (++this.#messages > MESSAGES) return;
    const last = this.#messages === MESSAGES ? ' (further messages of this kind are not shown)' : '';
    this.#info(`${what}: its pages end here${last}`);
  }
}

/** Returns the target of the next page, without the user that the server may have put into its url. */
function nextTarget(place: string, base: string): Target | Failure {
  const target = parseTarget(URL.canParse(place, base) ? new URL(place, base).href : place);
  return 'code' in target ? target : { ...target, authorization: undefined };
}

/** Returns the url of a page; with the user of the url before it, if that is in the record and of the same origin. */
function withUserOf(own: Target, next: Target, task: Task, { url }: RequestDefaults): string {
  const isInRecord = url === undefined || pageIn(task) !== undefined;
  if (!isInRecord || own.authorization === undefined || own.origin !== next.origin) return next.href;
  const before = urlOf(task, undefined);
  if (typeof before !== 'string') return next.href;
  const { username, password } = new URL(before);
  return Object.assign(new URL(next.href), { username, password }).href;
}

/** Returns the failure of a task whose next page cannot be fetched. Keeps the result. */
function failed(outcome: Outcome, option: string, fault: string | Failure | undefined): Outcome {
  const why = typeof fault === 'string' ? fault : (fault?.message ?? '');
  return { ...outcome, error: { code: 'NEXT', message: `no next page: ${why} (${option})` } };
}
