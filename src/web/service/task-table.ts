import { call } from './api.ts';
import { type ShownTask, STATES } from './contract.ts';
import { element, stateOf } from './dom.ts';
import { durationOf, timeOf } from './task-times.ts';

interface Listed extends ShownTask {
  readonly preview: string;
}

interface Page {
  readonly tasks: readonly Listed[];
  readonly next: number | null;
}

/** Time without typing after which a search is sent, in milliseconds. */
const TYPING = 250;
/** Maximum number of rows that are read again when tasks change. */
const MOST = 1000;
const STEP = 50;

/** List of tasks with its filters. */
export class TaskTable {
  readonly element: HTMLElement;
  readonly #search: HTMLInputElement = element('input', {
    ...{ type: 'search', placeholder: 'Search ids and data', 'aria-label': 'Search', maxlength: '200' },
  });
  readonly #states: HTMLSelectElement;
  readonly #rows = element('tbody');
  readonly #more = element('button', { type: 'button', hidden: '' }, 'More');
  readonly #empty = element('p', { class: 'empty', hidden: '' }, 'No such tasks.');
  #limit = STEP;
  #asked = 0;
  #typing: number | undefined;

  constructor() {
    const options = ['', ...STATES].map((state) =>
      element('option', { value: state }, state === '' ? 'all states' : state),
    );
    this.#states = element('select', { 'aria-label': 'State' }, ...options);
    const head = ['State', 'Task', 'Data', 'Submitted', 'Started', 'Duration', 'Error'];
    const row = element('tr', {}, ...head.map((words) => element('th', {}, words)));
    this.element = element(
      'section',
      {},
      element('p', { class: 'filters' }, this.#search, this.#states),
      element('table', {}, element('thead', {}, row), this.#rows),
      this.#empty,
      this.#more,
    );
    this.#search.addEventListener('input', () => {
      clearTimeout(this.#typing);
      this.#typing = setTimeout(() => this.#restart(), TYPING);
    });
    this.#states.addEventListener('change', () => this.#restart());
    this.#more.addEventListener('click', () => {
      this.#limit = Math.min(MOST, this.#limit + STEP);
      this.refresh();
    });
  }

  /** Shows only the tasks of a state; an empty text: all. */
  filter(state: string): void {
    this.#states.value = state;
    this.#restart();
  }

  /** Reads the displayed tasks again. */
  refresh(): void {
    void this.#load().catch((error: Error) => {
      this.#empty.textContent = error.message;
      this.#empty.hidden = false;
    });
  }

  #restart(): void {
    this.#limit = STEP;
    this.refresh();
  }

  async #load(): Promise<void> {
    const query = new URLSearchParams({ limit: String(this.#limit) });
    if (this.#search.value !== '') query.set('search', this.#search.value);
    if (this.#states.value !== '') query.set('status', this.#states.value);
    const question = ++this.#asked;
    const { tasks, next } = await call<Page>(`/tasks?${query}`);
    if (question !== this.#asked) return; // a newer query is under way
    this.#rows.replaceChildren(...tasks.map(rowOf));
    this.#more.hidden = next === null || this.#limit >= MOST;
    this.#empty.textContent = 'No such tasks.';
    this.#empty.hidden = tasks.length > 0;
  }
}

function rowOf(task: Listed): HTMLElement {
  const { task_id, status, submitted, started, preview, error } = task;
  const link = element('a', { href: `#task=${encodeURIComponent(task_id)}`, title: task_id }, task_id);
  const words = error === null ? '' : `${error.code}: ${error.message}`;
  const cells: readonly (readonly [name: string, content: Node | string, title?: string])[] = [
    ['State', stateOf(status)],
    ['Task', link],
    ['Data', preview, preview],
    ['Submitted', timeOf(submitted)],
    ['Started', timeOf(started)],
    ['Duration', durationOf(task)],
    ['Error', words, words],
  ];
  return element(
    'tr',
    {},
    ...cells.map(([name, content, title]) =>
      element('td', { class: name.toLowerCase(), 'data-name': name, ...(title ? { title } : {}) }, content),
    ),
  );
}
