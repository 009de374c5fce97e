import { uuidOfAttributes } from '../../../core/ids/index.ts';
import { withoutMembers } from '../../../core/record/json-text.ts';
import { attribute, runOf, Task } from '../../../core/record/task.ts';

/** Name of the attribute with the origin of a page. */
export const PAGING = 'paging';

/** Origin of a page after which no page is fetched with credentials any more. */
export const FOREIGN = '';

/** Place of a page in the sequence of pages that begins with a task of the input. */
export interface Page {
  /** Number of the page, from 1. */
  readonly page: number;
  /** Uuid of the task that began the sequence. */
  readonly start: string;
  /** Url of the first page. */
  readonly first: string;
  /** Origin that the credentials belong to; `FOREIGN` once a page of another origin was fetched. */
  readonly origin: string;
}

/** Returns the place of a task that was added as a page; undefined if it was not. */
export function pageIn(task: Task): Page | undefined {
  if (!task.has(PAGING)) return undefined;
  const value = attribute(task.fields, PAGING);
  if (typeof value !== 'object' || value === null) return undefined;
  const { page, start, first, origin } = value as Readonly<Record<string, unknown>>;
  const isPage = Number.isSafeInteger(page) && [start, first, origin].every((one) => typeof one === 'string');
  return isPage ? (value as Page) : undefined;
}

/** Returns a task of the input with its place as the first page, so that all pages have the same attributes. */
export function firstTask(task: Task, page: Page): Task {
  const kept = withoutMembers(task.line, (key) => key === PAGING)
    .trim()
    .slice(0, -1)
    .trim();
  const url = task.has('url') ? '' : `,"url":${JSON.stringify(page.first)}`;
  return new Task(task.uuid, `${kept}${url},${JSON.stringify(PAGING)}:${JSON.stringify(page)}}`);
}

/**
 * Returns the task of a page. It has the attributes of the page before it, which keep their bytes. Its uuid is made
 * of its url and of the uuid of the task that began the sequence, so that another run finds the same task.
 */
export function pageTask(before: Task, url: string, page: Page): Task {
  const as = runOf(before.fields)?.as;
  const replaced = new Set(['uuid', 'url', 'params', 'run', 'result', PAGING, as ?? 'run']);
  const kept = withoutMembers(before.line, (key) => replaced.has(key))
    .trim()
    .slice(1, -1)
    .trim();
  const uuid = uuidOfAttributes({ start: page.start, url }) as string;
  const own = `"uuid":${JSON.stringify(uuid)},"url":${JSON.stringify(url)}`;
  const more = kept === '' ? '' : `,${kept}`;
  return new Task(uuid, `{${own}${more},${JSON.stringify(PAGING)}:${JSON.stringify(page)}}`);
}
