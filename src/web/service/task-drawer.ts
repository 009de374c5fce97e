import { call, textOf } from './api.ts';
import type { ShownTask } from './contract.ts';
import { button, element, stateOf } from './dom.ts';
import { durationOf, localTime, timeOf } from './task-times.ts';

/** Interval at which the log of a task that has not ended is read on, in milliseconds. */
const FOLLOW = 1000;
/** Maximum length of the log shown, in characters. */
const SHOWN = 1024 * 1024;

interface Told extends ShownTask {
  readonly stack: string | null;
}

/** Panel with one task. The url of the page names the task, so that it can be linked. */
export class TaskDrawer {
  readonly element: HTMLElement = element('aside', {
    class: 'drawer',
    hidden: '',
    tabindex: '-1',
    'aria-label': 'Task',
  });
  readonly #changed: () => void;
  readonly #body: HTMLElement = element('div', { class: 'task' });
  readonly #log: HTMLElement = element('pre', { class: 'log' });
  readonly #logPart: HTMLElement = element('div', { hidden: '' }, element('h3', {}, 'Log'), this.#log);
  #uuid = '';
  #read = 0;
  #timer: number | undefined;

  /** @param changed called after an action */
  constructor(changed: () => void) {
    this.#changed = changed;
    const close = button('Close', async () => this.close());
    this.element.append(
      element('div', { class: 'bar' }, element('h2', {}, 'Task'), close),
      this.#body,
      this.#logPart,
    );
    document.addEventListener('keydown', ({ key }) => {
      if (key === 'Escape') this.close();
    });
    window.addEventListener('hashchange', () => this.openLinked());
  }

  /** Opens the task in the url, or closes the panel. */
  openLinked(): void {
    const uuid = new URLSearchParams(location.hash.slice(1)).get('task') ?? '';
    if (uuid === '') this.#hide();
    else void this.#open(uuid).catch((error: Error) => this.#body.replaceChildren(error.message));
  }

  close(): void {
    if (this.element.hidden) return;
    history.pushState(null, '', location.pathname + location.search);
    this.#hide();
  }

  /** Shows the task again if it is among those that have changed. */
  refresh(uuids: readonly string[]): void {
    if (uuids.includes(this.#uuid)) void this.#show(this.#uuid).catch(() => {});
  }

  #hide(): void {
    this.#uuid = '';
    clearInterval(this.#timer);
    this.element.hidden = true;
  }

  async #open(uuid: string): Promise<void> {
    clearInterval(this.#timer);
    this.#uuid = uuid;
    this.#read = 0;
    this.#log.textContent = '';
    this.#logPart.hidden = true;
    this.element.hidden = false;
    this.element.focus();
    this.element.scrollTop = 0;
    this.#timer = setInterval(() => void this.#follow(uuid).catch(() => {}), FOLLOW);
    await this.#show(uuid);
    await this.#follow(uuid).catch(() => {}); // logs may not be enabled
  }

  /** Shows new lines of the log. */
  async #follow(uuid: string): Promise<void> {
    const from = this.#read === 0 ? '' : `&from=${this.#read}`;
    const { log, next } = await call<{ log: string; next: number }>(
      `/log?task_id=${encodeURIComponent(uuid)}${from}`,
    );
    if (this.#uuid !== uuid || log === '') return;
    this.#read = next;
    const { scrollHeight, scrollTop, clientHeight } = this.#log;
    const isAtEnd = scrollHeight - scrollTop - clientHeight < 20;
    this.#log.textContent = ((this.#log.textContent ?? '') + log).slice(-SHOWN);
    this.#logPart.hidden = false;
    if (isAtEnd) this.#log.scrollTop = this.#log.scrollHeight;
  }

  async #show(uuid: string): Promise<void> {
    const query = `?task_id=${encodeURIComponent(uuid)}`;
    const text = await textOf(`${query}&stack=true`);
    if (this.#uuid !== uuid) return; // another task is shown by now
    const { data: task, error_msg } = JSON.parse(text) as { data: Told | null; error_msg: string };
    if (task === null) {
      this.#body.replaceChildren(element('p', { class: 'error' }, error_msg));
      return;
    }
    this.#body.replaceChildren(
      element('p', { class: 'id' }, element('a', { href: `#task=${encodeURIComponent(uuid)}` }, uuid)),
      this.#ordersOf(task, query),
      factsOf(task),
      ...(task.error === null
        ? []
        : [element('p', { class: 'error' }, `${task.error.code}: ${task.error.message}`)]),
      ...section('Data', memberOf(text, 'data')),
      ...section('Result', memberOf(text, 'result')),
      ...section('Stack', task.stack ?? ''),
    );
  }

  #ordersOf({ task_id, status }: ShownTask, query: string): HTMLElement {
    const order = (words: string, path: string, method: string, question?: string): HTMLButtonElement =>
      button(words, async () => {
        if (question !== undefined && !confirm(question)) return;
        await call(path + query, method);
        this.#changed();
        if (method === 'DELETE') this.close();
        else await this.#show(task_id);
      });
    const isFinal = status !== 'PENDING' && status !== 'RUNNING';
    const orders = isFinal
      ? [
          order('Run again', '/rerun', 'POST'),
          order('Forget', '', 'DELETE', `Delete task ${task_id}, with its result and its log?`),
        ]
      : [
          order(
            'Cancel',
            '/cancel',
            'POST',
            status === 'RUNNING' ? `Stop the work on task ${task_id}?` : undefined,
          ),
        ];
    return element('p', { class: 'orders' }, ...orders);
  }
}

/** Makes the list of the members of a task. */
function factsOf(task: ShownTask): HTMLElement {
  const facts: (readonly [string, ...(Node | string)[]])[] = [['State', stateOf(task.status)]];
  for (const [name, stamp] of [
    ['Submitted', task.submitted],
    ['Started', task.started],
    ['Finished', task.finished],
  ] as const)
    if (stamp !== null) facts.push([name, localTime(stamp), ', ', timeOf(stamp)]);
  const duration = durationOf(task);
  if (duration !== '') facts.push(['Duration', duration]);
  if (task.attempts !== null) facts.push(['Attempts', String(task.attempts)]);
  return element(
    'dl',
    {},
    ...facts.flatMap(([name, ...words]) => [element('dt', {}, name), element('dd', {}, ...words)]),
  );
}

function section(title: string, text: string): readonly HTMLElement[] {
  return text === '' || text === 'null' ? [] : [element('h3', {}, title), element('pre', {}, text)];
}

/** Returns the text of a member of the answer, so that numbers keep all digits. */
function memberOf(text: string, name: string): string {
  const source: string[] = [];
  const reviver = (_key: string, value: unknown, context?: { source?: string }): unknown => {
    if (typeof value !== 'number' || context?.source === undefined || String(value) === context.source)
      return value;
    return `\u0000${source.push(context.source) - 1}`;
  };
  const parsed = JSON.parse(text, reviver as never) as { data: Record<string, unknown> };
  const shown = JSON.stringify(parsed.data[name], null, 2) ?? '';
  return shown.replace(/"\\u0000(\d+)"/g, (_, index) => source[index] ?? '');
}
