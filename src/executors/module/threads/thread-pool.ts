import { Worker } from 'node:worker_threads';
import { messageOf, TaskpipeError } from '../../../core/base/errors.ts';
import { Task } from '../../../core/record/task.ts';
import type { Attempt, Outcome } from '../../contract.ts';
import type { ModuleOptions } from '../contract.ts';
import { late } from '../module-work.ts';
import type { OpenWork } from '../open-module.ts';
import { batchMessages } from './message-batcher.ts';
import type { FromThread, Orders, SettledMessage, ToThread } from './messages.ts';

/**
 * Time after the timeout of an attempt in which its thread must answer, in milliseconds. Otherwise it is
 * blocked and terminated.
 */
const BUSY = 1000;

/** Time that a thread has to close, in milliseconds. */
const CLOSING = 1000;

/** Attempt that runs on a thread. */
interface Pending {
  readonly attempt: Attempt;
  readonly began: number;
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

/**
 * Opens threads that share the tasks. A function that never returns is ended with its thread at its timeout.
 * @throws {TaskpipeError} as the loading of the module does
 */
export async function openThreads(options: ThreadsOptions): Promise<OpenWork> {
  const threads = Array.from({ length: options.count }, () => new Thread(options));
  const close = async (): Promise<void> => void (await Promise.all(threads.map((thread) => thread.close())));
  try {
    await Promise.all(threads.map(({ ready }) => ready));
  } catch (error) {
    await close();
    throw error;
  }
  return { attempt: (task, attempt) => leastOf(threads).attempt(task, attempt), close };
}

/** Returns the thread with the fewest attempts. A slow thread gets fewer, because its attempts stay longer. */
function leastOf(threads: readonly Thread[]): Thread {
  let least = threads[0] as Thread;
  for (const thread of threads) if (thread.size < least.size) least = thread;
  return least;
}

/** Thread that is restarted when it ends. */
class Thread {
  /** Resolves once it can work; rejects if it never can. */
  ready: Promise<void>;
  readonly #module: ModuleOptions;
  readonly #timeout: number;
  readonly #show: ((line: string) => void) | undefined;
  readonly #pending = new Map<number, Pending>();
  #worker!: Worker;
  #orders: Orders | undefined;
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

  attempt({ uuid, line }: Task, attempt: Attempt): Promise<Outcome> {
    const id = this.#next++;
    this.#orders ??= { first: id, uuids: [], lines: [], numbers: [] };
    this.#orders.uuids.push(uuid);
    this.#orders.lines.push(line);
    this.#orders.numbers.push(attempt.number);
    this.#heed(attempt.signal);
    this.#watch ??= setTimeout(() => this.#look(), this.#timeout + BUSY);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { attempt, began: performance.now(), resolve, reject });
      this.#ordered();
    });
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
    const worker = new Worker(new URL('./thread.js', import.meta.url), { workerData: this.#module });
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

  /** Ends the thread if the oldest attempt is over its timeout without an answer: a function blocks it. */
  #look(): void {
    this.#watch = undefined;
    const [oldest] = this.#pending.values();
    if (oldest === undefined) return;
    const left = oldest.began + this.#timeout + BUSY - performance.now();
    if (left > 0) this.#watch = setTimeout(() => this.#look(), left);
    else {
      const [id] = this.#pending.keys();
      this.#pending.delete(id as number);
      oldest.resolve(late(this.#timeout));
      void this.#worker.terminate();
    }
  }

  #crashed(why: string, worker: Worker): void {
    if (worker !== this.#worker || this.#isClosing || !this.#wasReady) return;
    const error = { code: 'THREAD', message: `the thread of the function ended: ${why}` };
    // It is unknown which attempt ended the thread, so all may be retried.
    this.#orders = undefined;
    this.ready = this.#start();
    this.ready.catch(() => {});
    this.#endAll(({ resolve }) => resolve({ error, retry: {} }));
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
