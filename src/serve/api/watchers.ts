import type { ServerResponse } from 'node:http';
import type { Service, StateChange } from '../work/service.ts';

/**
 * Maximum number of watchers, and of bytes that wait for one of them: a watcher that does not read is disconnected.
 */
const MOST = 100;
const FULL = 1024 * 1024;
/** Intervals of messages and of keep-alives, in milliseconds. */
const INTERVAL = 250;
const ALIVE = 15_000;
/** Maximum number of changes in a message; the counts include all. */
const TOLD = 200;

/** Watchers, which receive changes as server-sent events: `data: {"counts":{…},"changes":[{"task_id","status"}]}`. */
export class Watchers {
  readonly #service: Service;
  readonly #watching = new Set<ServerResponse>();
  #changes: StateChange[] = [];
  #timer: NodeJS.Timeout | undefined;
  #last = 0;

  constructor(service: Service) {
    this.#service = service;
    service.on('change', (change) => {
      if (this.#watching.size === 0) return;
      this.#changes.push(change);
      if (this.#changes.length > TOLD) this.#changes.shift();
    });
  }

  /** True if another client may watch. */
  get hasRoom(): boolean {
    return this.#watching.size < MOST;
  }

  add(response: ServerResponse): void {
    this.#watching.add(response);
    response.on('close', () => this.#remove(response));
    response.on('error', () => this.#remove(response));
    response.write(this.#message());
    this.#timer ??= setInterval(() => this.#tell(), INTERVAL);
  }

  close(): void {
    clearInterval(this.#timer);
    for (const response of this.#watching) response.end();
    this.#watching.clear();
  }

  #remove(response: ServerResponse): void {
    this.#watching.delete(response);
    if (this.#watching.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#changes = [];
  }

  #tell(): void {
    const now = Date.now();
    const isQuiet = this.#changes.length === 0;
    if (isQuiet && now - this.#last < ALIVE) return;
    this.#last = now;
    const message = isQuiet ? ':\n\n' : this.#message();
    this.#changes = [];
    for (const response of this.#watching) {
      if (response.writableLength > FULL) response.destroy();
      else response.write(message);
    }
  }

  #message(): string {
    const changes = this.#changes.map(({ uuid, state }) => ({ task_id: uuid, status: state }));
    return `data: ${JSON.stringify({ counts: countsOf(this.#service), changes })}\n\n`;
  }
}

/** Returns the numbers of tasks by state; running tasks are not counted as pending. */
export function countsOf({ counts, running }: Service): Readonly<Record<string, number>> {
  const pending = Math.max(0, (counts.get('PENDING') ?? 0) - running.size);
  return { ...Object.fromEntries(counts), PENDING: pending, RUNNING: running.size };
}
