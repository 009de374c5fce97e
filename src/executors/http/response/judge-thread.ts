import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { addFunctions } from './jmespath.ts';

/**
 * Verdict of a thread on a text, with the value of its expression; for a list or an object, an empty list stands for
 * the value.
 */
export type BodyVerdict =
  | { readonly passes: boolean; readonly value?: unknown }
  | { readonly fault: string }
  | 'late';

/** Test that a thread applies: a pattern, or an expression in JMESPath. */
export type Yardstick = { readonly source: string; readonly flags: string } | { readonly expression: string };

interface Pending {
  readonly text: string;
  readonly done: (verdict: BodyVerdict) => void;
}

/** Code of the thread. It judges one text after the other, and answers in that order. */
const CODE = `
const { parentPort, workerData } = require('node:worker_threads');
const { source, flags, expression, library } = workerData;
const jmespath = library && require(library);
if (jmespath) (${addFunctions.toString()})(jmespath);
const pattern = source === undefined ? undefined : new RegExp(source, flags);
const isTrue = (value) => value !== null && value !== undefined && value !== false && value !== '' &&
  (typeof value !== 'object' || Object.keys(value).length > 0);
const compiled = jmespath && jmespath.compile(expression);
parentPort.on('message', (text) => {
  try {
    const value = pattern ? pattern.test(text) : jmespath.TreeInterpreter.search(compiled, JSON.parse(text));
    parentPort.postMessage({ passes: isTrue(value), value: typeof value === 'object' ? [] : value });
  } catch (error) {
    parentPort.postMessage({ fault: String(error && error.message) });
  }
});
parentPort.postMessage('ready');
`;

/**
 * Thread that judges untrusted texts. On the main thread, a pattern that backtracks, or an expression over a large
 * document, would block all tasks; here it is ended after a timeout. RE2 (`re2js`) would not need that.
 */
export class JudgeThread {
  readonly #data: Readonly<Record<string, unknown>>;
  readonly #limit: number;
  #worker: Worker | undefined;
  #isReady = false;
  /** Texts that were sent or wait for the thread, in order. */
  #pending: Pending[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param limit longest time for one text, in milliseconds */
  constructor(yardstick: Yardstick, limit: number) {
    const library =
      'expression' in yardstick
        ? createRequire(import.meta.url).resolve('@jmespath-community/jmespath')
        : undefined;
    this.#data = { ...yardstick, library };
    this.#limit = limit;
  }

  /** Judges a text. Resolves to `late` if that takes too long. */
  judge(text: string): Promise<BodyVerdict> {
    return new Promise((done) => {
      this.#pending.push({ text, done });
      if (this.#worker === undefined) this.#start();
      else if (this.#isReady) this.#send(text);
    });
  }

  /** Ends the thread. Texts that wait are never judged. */
  async close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#pending = [];
    await this.#worker?.terminate();
  }

  #start(): void {
    this.#isReady = false;
    const worker = new Worker(CODE, { eval: true, workerData: this.#data });
    this.#worker = worker;
    worker.on('message', (message: BodyVerdict | 'ready') => {
      if (worker !== this.#worker) return; // the thread was ended meanwhile
      if (message !== 'ready') return this.#settle(message);
      this.#isReady = true;
      for (const { text } of this.#pending) this.#send(text);
    });
    worker.on('error', (error) => {
      if (worker === this.#worker) this.#restart({ fault: error.message });
    });
  }

  #send(text: string): void {
    this.#worker?.postMessage(text);
    this.#timer ??= setTimeout(() => this.#restart('late'), this.#limit);
  }

  #settle(verdict: BodyVerdict): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pending.shift()?.done(verdict);
    if (this.#pending.length > 0) this.#timer = setTimeout(() => this.#restart('late'), this.#limit);
  }

  /** Gives up the first text, and starts another thread to judge the others. */
  #restart(verdict: BodyVerdict): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    void this.#worker?.terminate();
    this.#worker = undefined;
    this.#pending.shift()?.done(verdict);
    if (this.#pending.length > 0) this.#start();
  }
}
