/** A first-in, first-out queue. `shift` takes constant time, however long the queue. */
export class Fifo<T extends object> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  /** Item that `shift` returns next. */
  get first(): T | undefined {
    return this.#items[this.#head];
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Adds an item at the front. */
  pushFirst(item: T): void {
    if (this.#head > 0) this.#items[--this.#head] = item;
    else this.#items.unshift(item);
  }

  shift(): T | undefined {
    if (this.length <= 1) {
      const last = this.#items.pop(); // the next item reuses its place
      if (this.#head > 0) this.#items = [];
      this.#head = 0;
      return last;
    }
    const item = this.#items[this.#head] as T;
    this.#items[this.#head++] = undefined as never; // lets the item be garbage-collected
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
