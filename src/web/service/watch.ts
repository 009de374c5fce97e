import { call, listen } from './api.ts';
import type { News } from './contract.ts';
import { refreshTask, showTask, stateOf } from './detail.ts';
import { element } from './dom.ts';
import { meterOf } from './meter.ts';
import { plot } from './plots.ts';

const STATES = ['PENDING', 'RUNNING', 'SUCCESS', 'FAILURE', 'REVERTED', 'REVERT_FAILURE', 'CANCELLED'];

interface Listed {
  readonly tasks: readonly {
    readonly task_id: string;
    readonly status: string;
    readonly submitted: string;
  }[];
  readonly next: number | null;
}

/** Builds the page: counts, plots, the list, and one task. */
export function watch(main: HTMLElement): void {
  const counts = element('p', { class: 'counts', 'aria-live': 'polite' });
  const line = element('p', { class: 'error', hidden: '' }, 'The service does not respond; retrying.');
  const rate = plot('Finished', 'tasks/s');
  const latency = plot('From PENDING to the end, as seen here', 'median ms');
  const area = element('section', { class: 'task' });
  const list = listOf(
    (uuid) => void showTask(area, uuid, list.refresh).catch((error: Error) => alert(error.message)),
  );
  main.append(
    element('h1', {}, document.title),
    ...[line, counts],
    element('div', { class: 'plots' }, rate.element, latency.element),
    element('div', { class: 'tasks' }, list.element, area),
  );
  const meter = meterOf();
  setInterval(() => {
    const { finished, median } = meter.take();
    rate.add(finished);
    if (median !== undefined) latency.add(median);
    if (meter.isStale()) list.refresh();
  }, 1000);
  const take = (news: News): void => {
    meter.add(news);
    const uuids = news.changes.map(({ task_id }) => task_id);
    refreshTask(area, uuids, list.refresh);
    counts.replaceChildren(
      ...STATES.filter((state) => state in news.counts).map((state) =>
        countOf(state, news.counts[state] ?? 0),
      ),
    );
  };
  void listen(take, (isUp) => {
    line.hidden = isUp;
    if (isUp) list.refresh();
  });
}

function countOf(state: string, count: number): HTMLElement {
  return element(
    'span',
    { class: 'count', 'data-state': state },
    stateOf(state),
    ` ${count.toLocaleString('en')} `,
  );
}

/** Formats a time in the local time zone. */
function timeOf(stamp: string): HTMLElement {
  const local = new Date(Date.parse(stamp) - new Date(stamp).getTimezoneOffset() * 60_000).toISOString();
  return element('time', { datetime: stamp }, local.slice(0, 19).replace('T', ' '));
}

/** Makes the list of tasks with its filters. */
function listOf(open: (uuid: string) => void): { element: HTMLElement; refresh: () => void } {
  const search = element('input', {
    type: 'search',
    placeholder: 'Search ids and data',
    'aria-label': 'Search',
  });
  const options = ['', ...STATES].map((state) =>
    element('option', { value: state }, state === '' ? 'all states' : state),
  );
  const states = element('select', { 'aria-label': 'State' }, ...options);
  const rows = element('tbody');
  const more = element('button', { type: 'button', hidden: '' }, 'More');
  let next: number | null = null;
  let asked = 0;
  const load = async (before: number | null): Promise<void> => {
    const query = new URLSearchParams({ limit: '50' });
    if (search.value !== '') query.set('search', search.value);
    if (states.value !== '') query.set('status', states.value);
    if (before !== null) query.set('before', String(before));
    const question = ++asked;
    const page = await call<Listed>(`/tasks?${query}`);
    if (question !== asked) return; // a newer query is under way
    const made = page.tasks.map(({ task_id, status, submitted }) => {
      const link = element('button', { type: 'button', class: 'link' }, task_id);
      link.addEventListener('click', () => open(task_id));
      return element(
        'tr',
        {},
        element('td', {}, stateOf(status)),
        element('td', {}, link),
        element('td', {}, timeOf(submitted)),
      );
    });
    if (before === null) rows.replaceChildren(...made);
    else rows.append(...made);
    next = page.next;
    more.hidden = next === null;
  };
  const refresh = (): void => void load(null).catch(() => {});
  search.addEventListener('input', refresh);
  states.addEventListener('change', refresh);
  more.addEventListener('click', () => void load(next).catch(() => {}));
  const head = element('tr', {}, ...['State', 'Task', 'Submitted'].map((words) => element('th', {}, words)));
  return {
    element: element(
      'section',
      {},
      element('p', {}, search, ' ', states),
      element('table', {}, element('thead', {}, head), rows),
      more,
    ),
    refresh,
  };
}
