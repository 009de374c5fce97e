import { type Database, inTransaction } from '../../core/storage/sqlite-database.ts';

/** A change that shares its transaction with others. */
type Change<T> = () => Promise<T>;

interface Waiting {
  readonly change: Change<unknown>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * Group commit: while one transaction is being synced, the next one gathers changes, so that many callers share one
 * sync of the disk.
 */
export class GroupCommit {
  readonly #database: Database;
  readonly #onRollback: () => void;
  readonly #check: () => void;
  #waiting: Waiting[] = [];
  #running: Promise<void> | undefined;

  /** @param check called before and after each transaction; throws if written data would be lost */
  constructor(database: Database, onRollback: () => void, check: () => void) {
    this.#database = database;
    this.#onRollback = onRollback;
    this.#check = check;
  }

  /** Runs a change. Resolves with its result once that is on the disk. @throws the error of the transaction */
  commit<T>(change: Change<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ change, resolve: resolve as (value: unknown) => void, reject });
      this.#running ??= this.#run().finally(() => {
        this.#running = undefined;
      });
    });
  }

  /** Runs an action outside transactions, while no transaction is open. */
  async between<T>(action: () => Promise<T>): Promise<T> {
    while (this.#running !== undefined) await this.#running;
    const done = action();
    this.#running = done
      .then(
        () => this.#run(), // changes that arrived meanwhile
        () => this.#run(),
      )
      .finally(() => {
        this.#running = undefined;
      });
    return done;
  }

  /** Resolves when no change waits. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  async #run(): Promise<void> {
    await new Promise(setImmediate); // other changes of this turn join the transaction
    while (this.#waiting.length > 0) {
      const group = this.#waiting;
      this.#waiting = [];
      try {
        this.#check();
        const results = await inTransaction(this.#database, async () => {
          const values: unknown[] = [];
          for (const { change } of group) values.push(await change());
          return values;
        });
        this.#check(); // before anything is acknowledged
        for (const [i, { resolve }] of group.entries()) resolve(results[i]);
      } catch (error) {
        this.#onRollback();
        for (const { reject } of group) reject(error);
      }
    }
  }
}
