import { Worker } from 'node:worker_threads';
import { messageOf, TaskpipeError } from '../../../core/base/errors.ts';
import { steadyNow } from '../../../core/base/steady-clock.ts';
import { Task } from '../../../core/record/task.ts';
import type { Attempt, Outcome } from '../../contract.ts';
import type { ModuleOptions } from '../contract.ts';
import { late } from '../module-work.ts';
import { endThread } from './end-thread.ts';
import { batchMessages } from './message-batcher.ts';
import type { FromThread, Orders, SettledMessage, ThreadData, ToThread } from './messages.ts';
import { endedThread, type Pending, suspect, whyEnded } from './pending.ts';

/**
 * Time after the timeout of an attempt in which its thread must answer, in milliseconds. Otherwise it is
 * blocked and terminated.
 */
const BUSY = 1000;

/** Time that a thread has to load the module, in milliseconds. */
const LOADING = 30_000;

/** Time that a thread has to close, in milliseconds. */
const CLOSING = 1000;

export interface ThreadsOptions {
  readonly module: ModuleOptions;
  readonly count: number;
  /** Called with each line that tasks log. */
  readonly show?: ((line: string) => void) | undefined;
}

/** Thread that is restarted when it ends. */
export class WorkerThread {
  /** Promise that resolves once it can work, and rejects if that is impossible. */
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
  /** True while attempts run one at a time, to find the attempt that ends the thread. */
  #isSerial = false;
  /** Number of attempts that ended in this thread since its start: one could have left a timer that throws. */
  #ended = 0;
  /** True once the thread is being ended, because an attempt blocks it. */
  #isBlocked = false;
  /** Number of the thread in the system. */
  #number: number | undefined;
  /** True once this start of the thread has loaded the module. */
  #isReady = false;
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
    if (!this.#isSerial) this.#order(id, task, attempt.number);
    this.#heed(attempt.signal);
    this.#watch ??= setTimeout(() => this.#look(), this.#timeout + BUSY);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { task, attempt, began: performance.now(), crashes: 0, resolve, reject });
      if (!this.#isSerial) this.#ordered();
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
    if (this.#worker.threadId < 0) return;
    if (this.#isReady) {
      this.#tell('close');
      let timer: NodeJS.Timeout | undefined;
      await new Promise<void>((resolve) => {
        this.#worker.once('exit', () => resolve());
        timer = setTimeout(resolve, CLOSING);
      });
      clearTimeout(timer);
    }
    await endThread(this.#worker, this.#number);
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
    this.#isReady = false;
    this.#number = undefined;
    this.#ended = 0;
    this.#isBlocked = false;
    return new Promise((resolve, reject) => {
      const fail = (error: Error): void => {
        reject(error);
        this.#refuseAll(error);
      };
      worker.on('message', (message: FromThread) => {
        if (worker !== this.#worker) return; // the thread was given up
        if (message.kind === 'ready') this.#begin(message.thread, resolve);
        else if (message.kind === 'failed') {
          const { code, message: words } = message;
          fail(code === undefined ? new Error(words) : new TaskpipeError(code, words));
        } else this.#take(message);
      });
      worker.on('error', (error) => {
        if (!this.#wasReady) fail(error);
        this.#crashed(messageOf(error), worker);
      });
      worker.on('exit', (exit) => {
        const why = `--module ${this.#module.file} cannot be loaded: ${whyEnded(exit)}`;
        if (!this.#wasReady) fail(new TaskpipeError('USAGE', why));
        this.#crashed('it ended its own thread', worker);
      });
    });
  }

  #begin(number: number | undefined, ready: () => void): void {
    this.#wasReady = true;
    this.#isReady = true;
    this.#number = number;
    for (const pending of this.#pending.values()) pending.began = performance.now();
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
    this.#ended++;
    pending.resolve(outcome);
    if (this.#isSerial) this.#repeat();
  }

  /** Ends the thread if its current call exceeds the timeout: the function blocks the thread. */
  #look(): void {
    this.#watch = undefined;
    const [oldest] = this.#pending;
    if (oldest === undefined) return;
    const [called, pending] = this.#called ?? oldest;
    // Before its function is called, an attempt may wait for others of its thread.
    const spent = this.#called === undefined ? performance.now() - pending.began : steadyNow() - this.#since;
    const left = this.#timeout + BUSY + (this.#isReady ? 0 : LOADING) - spent;
    if (left > 0) this.#watch = setTimeout(() => this.#look(), left);
    else {
      const worker = this.#worker;
      pending.resolve(late(this.#timeout));
      this.#pending.delete(called);
      this.#isBlocked = true;
      void endThread(worker, this.#number).then(() => this.#crashed('it was blocked', worker));
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

  /** Starts the thread again, with the attempts that it had. */
  #crashed(why: string, worker: Worker): void {
    if (worker !== this.#worker || this.#isClosing || !this.#wasReady) return;
    this.#orders = undefined;
    for (const id of this.#culprits()) {
      this.#pending.get(id)?.resolve(endedThread(why));
      this.#pending.delete(id);
    }
    this.ready = this.#start();
    this.ready.catch(() => {});
    if (this.#heeded?.aborted === true) this.#tell('give up');
    this.#repeat();
  }

  /** Returns the attempts that ended the thread. */
  #culprits(): readonly number[] {
    if (this.#isBlocked) return []; // the attempt has an outcome already
    const [id] = this.#called ?? [];
    return id === undefined ? suspect(this.#pending, this.#isSerial, this.#ended) : [id];
  }

  /** Retries the attempts that a thread had when it ended: suspects first, one at a time. */
  #repeat(): void {
    const again = [...this.#pending.values()];
    this.#pending.clear();
    this.#isSerial = again.some(({ crashes }) => crashes > 0);
    for (const pending of again) {
      if (!this.#isSerial || this.#pending.size === 0)
        this.#order(this.#next, pending.task, pending.attempt.number);
      this.#pending.set(this.#next++, pending);
      pending.began = performance.now();
    }
    this.#send();
    if (this.#pending.size > 0) this.#watch ??= setTimeout(() => this.#look(), this.#timeout + BUSY);
  }

  #refuseAll(error: Error): void {
    const all = [...this.#pending.values()];
    this.#pending.clear();
    for (const { reject } of all) reject(error);
  }
}
