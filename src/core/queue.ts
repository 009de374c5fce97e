/** First in, first out. Taking one costs the same however many there are. */
export class Queue<T extends object> {
  #items: T[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  /** Puts an item before all others. */
  pushFirst(item: T): void {
    if (this.#head > 0) this.#items[--this.#head] = item;
    else this.#items.unshift(item);
  }

  shift(): T | undefined {
    if (this.length <= 1) {
      const last = this.#items.pop(); // leaves its room to the next one
      if (this.#head > 0) this.#items = [];
      this.#head = 0;
      return last;
    }
    const item = this.#items[this.#head] as T;
    this.#items[this.#head++] = undefined as never; // or it would be kept alive
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }
}
