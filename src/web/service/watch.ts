import { call, endpoint, listen } from './api.ts';
import { type News, STATES } from './contract.ts';
import { element, stateOf } from './dom.ts';
import { historyPlots } from './history-plots.ts';
import { TaskDrawer } from './task-drawer.ts';
import { TaskTable } from './task-table.ts';
import { refreshTimes } from './task-times.ts';

/** Intervals of the updates of a changed list, of the times, and of the plots, in milliseconds. */
const LIST = 1000;
const TIMES = 1000;
const PLOTS = 15_000;

/** Builds the page: counts, plots, the list, and a drawer with one task. */
export function watch(main: HTMLElement): void {
  const counts = element('p', { class: 'counts' });
  const line = element('p', { class: 'error', hidden: '' }, 'The service does not respond; retrying.');
  const plots = historyPlots();
  const table = new TaskTable();
  const drawer = new TaskDrawer(() => table.refresh());
  const title = element('h1', {}, document.title);
  const docs = element('a', { href: `${endpoint}/docs` }, 'API');
  main.append(
    element('header', { class: 'bar' }, title, docs),
    ...[line, counts],
    element('div', { class: 'plots' }, ...plots.elements),
    table.element,
    drawer.element,
  );
  let isStale = false;
  const showCounts = (numbers: News['counts']): void => {
    const known = STATES.filter((state) => state in numbers);
    counts.replaceChildren(
      ...known.map((state) => countOf(state, numbers[state] ?? 0, () => table.filter(state))),
    );
  };
  const take = ({ counts: numbers, changes }: News): void => {
    isStale ||= changes.length > 0;
    drawer.refresh(changes.map(({ task_id }) => task_id));
    showCounts(numbers);
  };
  setInterval(() => {
    if (isStale && !document.hidden) table.refresh();
    isStale &&= document.hidden;
  }, LIST);
  setInterval(refreshTimes, TIMES);
  setInterval(plots.refresh, PLOTS);
  void listen(take, (isUp) => {
    line.hidden = isUp;
    if (!isUp) return;
    table.refresh();
    plots.refresh();
    void call<News>('/tasks?limit=1').then(
      ({ counts: numbers }) => showCounts(numbers),
      () => {},
    );
  });
  drawer.openLinked();
}

function countOf(state: string, count: number, choose: () => void): HTMLElement {
  const made = element(
    'button',
    { type: 'button', class: 'count', 'data-state': state, title: `Show the tasks that are ${state}` },
    stateOf(state),
    ` ${count.toLocaleString('en')}`,
  );
  made.addEventListener('click', choose);
  return made;
}
