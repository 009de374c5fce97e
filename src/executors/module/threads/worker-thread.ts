import { Worker } from 'node:worker_threads';
import { messageOf, TaskpipeError } from '../../../core/base/errors.ts';
import { steadyNow } from '../../../core/base/steady-clock.ts';
import { Task } from '../../../core/record/task.ts';
import type { Attempt, Outcome } from '../../contract.ts';
import type { ModuleOptions } from '../contract.ts';
import { late } from '../module-work.ts';
import { batchMessages } from './message-batcher.ts';
import type { FromThread, Orders, SettledMessage, ThreadData, ToThread } from './messages.ts';

/**
 * Time after the timeout of an attempt in which its thread must answer, in milliseconds. Otherwise it is
 * blocked and terminated.
 */
const BUSY = 1000;

/** Time that a thread has to close, in milliseconds. */
const CLOSING = 1000;

/** Attempt that runs on a thread. */
interface Pending {
  readonly task: Task;
  readonly attempt: Attempt;
  began: number;
  readonly resolve: (outcome: Outcome) => void;
  readonly reject: (error: unknown) => void;
}

/** Options of all threads. */
export interface ThreadsOptions {
  readonly module: ModuleOptions;
  readonly count: number;
  /** Called with each line that tasks log. */
  readonly show?: ((line: string) => void) | undefined;
}

/** Thread that is restarted when it ends. */
export class WorkerThread {
  /** Resolves once it can work; rejects if it never can. */
  ready: Promise<void>;
  readonly #module: ModuleOptions;
  readonly #timeout: number;
  readonly #show: ((line: string) => void) | undefined;
  readonly #pending = new Map<number, Pending>();
  #worker!: Worker;
  #orders: Orders | undefined;
  #current!: ThreadData['current'];
  readonly #ordered: () => void = batchMessages(
    () => this.#send(),
    () => this.#pending.size,
  );
  #next = 0;
  #heeded: AbortSignal | undefined;
  #watch: NodeJS.Timeout | undefined;
  #isClosing = false;
  /** True once the module was loaded. A thread that ends before is not restarted. */
  #wasReady = false;

  constructor({ module, show }: ThreadsOptions) {
    this.#module = module;
    this.#timeout = module.timeout;
    this.#show = show;
    this.ready = this.#start();
  }

  /** Number of running attempts. */
  get size(): number {
    return this.#pending.size;
  }

  attempt(task: Task, attempt: Attempt): Promise<Outcome> {
    const id = this.#next++;
    this.#order(id, task, attempt.number);
    this.#heed(attempt.signal);
    this.#watch ??= setTimeout(() => this.#look(), this.#timeout + BUSY);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { task, attempt, began: performance.now(), resolve, reject });
      this.#ordered();
    });
  }

  #order(id: number, { uuid, line }: Task, number: number): void {
    this.#orders ??= { first: id, uuids: [], lines: [], numbers: [] };
    this.#orders.uuids.push(uuid);
    this.#orders.lines.push(line);
    this.#orders.numbers.push(number);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    clearTimeout(this.#watch);
    if (this.#wasReady) this.#tell('close');
    else void this.#worker.terminate(); // it has no work yet
    const timer = setTimeout(() => void this.#worker.terminate(), CLOSING);
    if (this.#worker.threadId >= 0)
      await new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
    clearTimeout(timer);
  }

  #tell(message: ToThread): void {
    this.#worker.postMessage(message);
  }

  #send(): void {
    if (this.#orders !== undefined) this.#tell(this.#orders);
    this.#orders = undefined;
  }

  #heed(signal: AbortSignal): void {
    if (this.#heeded === signal) return;
    this.#heeded = signal;
    signal.addEventListener('abort', () => this.#tell('give up'));
  }

  #start(): Promise<void> {
    this.#current = new Float64Array(new SharedArrayBuffer(16)).fill(-1, 0, 1);
    const workerData: ThreadData = { module: this.#module, current: this.#current };
    const worker = new Worker(new URL('./thread.js', import.meta.url), { workerData });
    this.#worker = worker;
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromThread) => {
        if (message.kind === 'ready') this.#begin(resolve);
        else if (message.kind === 'failed') {
          const { code, message: words } = message;
          const error = code === undefined ? new Error(words) : new TaskpipeError(code, words);
          reject(error);
          this.#endAll(({ reject: refuse }) => refuse(error));
        } else this.#take(message);
      });
      worker.on('error', (error) => {
        reject(error);
        this.#crashed(messageOf(error), worker);
      });
      worker.on('exit', (exit) => {
        reject(
          new TaskpipeError('USAGE', `--module ${this.#module.file} cannot be loaded: ${whyEnded(exit)}`),
        );
        this.#crashed('it ended its own thread', worker);
      });
    });
  }

  #begin(ready: () => void): void {
    this.#wasReady = true;
    ready();
  }

  #take(message: Exclude<FromThread, { kind: 'ready' | 'failed' }>): void {
    if (message.kind === 'show') this.#show?.(message.line);
    else if (message.kind === 'settled') {
      const { ids, results } = message.done;
      for (const [i, id] of ids.entries()) {
        const result = results[i];
        this.#resolve(id, result === undefined ? {} : { result });
      }
      for (const settled of message.others) this.#settle(settled);
    } else {
      const [any] = this.#pending.values();
      if (message.kind === 'stop') any?.attempt.stage.stop();
      else any?.attempt.stage.done(message.uuid);
    }
  }

  #settle({ id, outcome, children }: SettledMessage): void {
    const found = children?.map(({ uuid, line, ...how }) => ({ task: new Task(uuid, line), ...how }));
    this.#resolve(id, found === undefined ? outcome : { ...outcome, children: found });
  }

  #resolve(id: number, outcome: Outcome): void {
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    this.#pending.delete(id);
    pending.resolve(outcome);
  }

  /** Ends the thread if the call that it is in is over its timeout: the function blocks it. */
  #look(): void {
    this.#watch = undefined;
    const [oldest] = this.#pending;
    if (oldest === undefined) return;
    const [called, pending] = this.#called ?? oldest;
    // Until a function is called, its attempt may wait for others of its thread.
    const spent = this.#called === undefined ? performance.now() - pending.began : steadyNow() - this.#since;
    const left = this.#timeout + BUSY - spent;
    if (left > 0) this.#watch = setTimeout(() => this.#look(), left);
    else {
      this.#resolve(called, late(this.#timeout));
      void this.#worker.terminate();
    }
  }

  /** Attempt whose function is being called. */
  get #called(): [id: number, pending: Pending] | undefined {
    const id = this.#current[0] as number;
    const pending = this.#pending.get(id);
    return pending === undefined ? undefined : [id, pending];
  }

  get #since(): number {
    return this.#current[1] as number;
  }

  #crashed(why: string, worker: Worker): void {
    if (worker !== this.#worker || this.#isClosing || !this.#wasReady) return;
    const [called] = this.#current;
    const outcome = {
      error: { code: 'THREAD', message: `the thread of the function ended: ${why}` },
      retry: {},
    };
    this.#orders = undefined;
    if (called === -1)
      this.#endAll(({ resolve }) => resolve(outcome)); // it is unknown which attempt ended the thread
    else this.#resolve(called as number, outcome);
    this.ready = this.#start();
    this.ready.catch(() => {});
    this.#repeat();
  }

  /** Makes the attempts again that a thread had when it was ended by another one. */
  #repeat(): void {
    const again = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of again) {
      this.#pending.set(this.#next, pending);
      this.#order(this.#next++, pending.task, pending.attempt.number);
      pending.began = performance.now();
    }
    this.#send();
    if (this.#pending.size > 0) this.#watch ??= setTimeout(() => this.#look(), this.#timeout + BUSY);
  }

  #endAll(end: (pending: Pending) => void): void {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    for (const pending of all) end(pending);
  }
}

/** Returns why a thread ended before it could work. */
function whyEnded(exit: number): string {
  return `its thread ended (exit code ${exit}): a top-level await that never resolves, or a call of exit()?`;
}
