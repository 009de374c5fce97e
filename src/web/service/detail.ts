import { call, textOf } from './api.ts';
import { button, element } from './dom.ts';

interface Told {
  readonly status: string;
  readonly submitted: string;
  readonly finished: string | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

/** Uuid of the task shown. */
let shown = '';

/** Refreshes the task shown if it is among `uuids`. */
export function refreshTask(area: HTMLElement, uuids: readonly string[], changed: () => void): void {
  if (uuids.includes(shown)) void showTask(area, shown, changed).catch(() => {});
}

/** Shows a task with its record, result, log and actions. */
export async function showTask(area: HTMLElement, uuid: string, changed: () => void): Promise<void> {
  const query = `?task_id=${encodeURIComponent(uuid)}`;
  shown = uuid;
  const text = await textOf(query);
  const log = await logOf(query);
  if (shown !== uuid) return; // another task is shown by now
  const { data: task } = JSON.parse(text) as { data: Told | null };
  if (task === null) {
    area.replaceChildren(element('p', { class: 'error' }, `Task ${uuid} no longer exists.`));
    return;
  }
  const order = (words: string, path: string, method: string): HTMLButtonElement =>
    button(words, async () => {
      await call(path + query, method);
      changed();
      await showTask(area, uuid, changed);
    });
  const isFinal = task.status !== 'PENDING' && task.status !== 'RUNNING';
  const orders = isFinal
    ? [order('Run again', '/rerun', 'POST'), order('Forget', '', 'DELETE')]
    : [order('Cancel', '/cancel', 'POST')];
  const error =
    task.error === null
      ? []
      : [element('p', { class: 'error' }, `${task.error.code}: ${task.error.message}`)];
  area.replaceChildren(
    element('h2', {}, uuid),
    element(
      'p',
      {},
      stateOf(task.status),
      ` submitted ${task.submitted}${task.finished === null ? '' : `, finished ${task.finished}`}`,
    ),
    ...error,
    element('p', { class: 'orders' }, ...orders),
    ...section('Record', memberOf(text, 'data')),
    ...section('Result', memberOf(text, 'result')),
    ...section('Log', log),
  );
}

/** Returns a label of a state, with its colour. */
export function stateOf(status: string): HTMLElement {
  return element('span', { class: `state ${status}` }, status);
}

function section(title: string, text: string): readonly HTMLElement[] {
  return text === '' || text === 'null' ? [] : [element('h3', {}, title), element('pre', {}, text)];
}

/** Returns the text of a member of the answer, so that numbers keep all digits. */
function memberOf(text: string, name: string): string {
  const source: Record<string, string> = {};
  const reviver = function (
    this: unknown,
    _key: string,
    value: unknown,
    context?: { source?: string },
  ): unknown {
    return typeof value === 'number' && context?.source !== undefined && String(value) !== context.source
      ? keep(source, context.source)
      : value;
  };
  const parsed = JSON.parse(text, reviver as never) as { data: Record<string, unknown> };
  const shown = JSON.stringify(parsed.data[name], null, 2) ?? '';
  return shown
    .replace(/"\u0000(\d+)"/g, (_, index) => source[index] ?? '')
    .replace(/"\\u0000(\d+)"/g, (_, index) => source[index] ?? '');
}

function keep(source: Record<string, string>, digits: string): string {
  const index = Object.keys(source).length;
  source[index] = digits;
  return `\u0000${index}`;
}

async function logOf(query: string): Promise<string> {
  try {
    return (await call<{ log: string }>(`/log${query}`)).log;
  } catch {
    return '';
  }
}
