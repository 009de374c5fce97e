import type { NatsMessage } from './contract.ts';

/** A question that waits for its answer. */
interface Question {
  resolve(answer: NatsMessage): void;
  reject(error: Error): void;
}

/** Questions that were asked together. */
interface QuestionGroup {
  readonly answers: (NatsMessage | undefined)[];
  /** Number of answers that have not come. */
  left: number;
  resolve(answers: readonly NatsMessage[]): void;
  reject(error: Error): void;
}

/** Character between the id of a group and the index of a question in it. */
const DASH = '-';

/**
 * Questions of a connection that have no answer yet. The id of a question is the end of the subject to which it is
 * answered.
 */
export class Questions {
  readonly #single = new Map<string, Question>();
  readonly #groups = new Map<string, QuestionGroup>();
  #asked = 0;

  /** True if an answer is missing. */
  get isWaiting(): boolean {
    return this.#single.size > 0 || this.#groups.size > 0;
  }

  /** Adds a question. @param send called with its id */
  add(send: (id: string) => void): Promise<NatsMessage> {
    const id = (this.#asked++).toString(36);
    return new Promise((resolve, reject) => {
      this.#single.set(id, { resolve, reject });
      send(id);
    });
  }

  /** Adds questions with one promise and one entry for all of them. @param send called with the id of each */
  addAll(count: number, send: (id: string, index: number) => void): Promise<readonly NatsMessage[]> {
    if (count === 0) return Promise.resolve([]);
    const group = `${(this.#asked++).toString(36)}${DASH}`;
    return new Promise((resolve, reject) => {
      const answers = new Array<undefined>(count).fill(undefined);
      this.#groups.set(group, { answers, left: count, resolve, reject });
      for (let i = 0; i < count; i++) send(group + i, i);
    });
  }

  /** Adds a wait that ends by itself, or with the connection. Resolves with the value that `work` calls `done` with. */
  expect<T>(work: (done: (value: T) => void) => void): Promise<T> {
    const id = `=${this.#asked++}`;
    return new Promise((resolve, reject) => {
      this.#single.set(id, { resolve: () => {}, reject });
      work((value) => {
        this.#single.delete(id);
        resolve(value);
      });
    });
  }

  /** Forgets a question that nothing waits for any more. */
  forget(id: string): void {
    this.#single.delete(id);
  }

  /** Delivers an answer. Returns false if nothing waits for it. */
  answer(id: string, message: NatsMessage): boolean {
    const at = id.indexOf(DASH) + 1;
    if (at > 0) return this.#answerIn(id.slice(0, at), Number(id.slice(at)), message);
    const question = this.#single.get(id);
    this.#single.delete(id);
    question?.resolve(message);
    return question !== undefined;
  }

  #answerIn(id: string, index: number, message: NatsMessage): boolean {
    const group = this.#groups.get(id);
    if (group === undefined || group.answers[index] !== undefined) return false;
    group.answers[index] = message;
    if (--group.left > 0) return true;
    this.#groups.delete(id);
    group.resolve(group.answers as NatsMessage[]);
    return true;
  }

  /** Rejects a question that was not sent, with all of its group. */
  refuse(id: string, error: Error): void {
    const group = id.slice(0, id.indexOf(DASH) + 1);
    (this.#single.get(id) ?? this.#groups.get(group))?.reject(error);
    this.#single.delete(id);
    this.#groups.delete(group);
  }

  /** Rejects all questions. */
  rejectAll(error: Error): void {
    const all = [...this.#single.values(), ...this.#groups.values()];
    this.#single.clear();
    this.#groups.clear();
    for (const { reject } of all) reject(error);
  }
}
