import type { IdSet } from '../../core/ids/index.ts';
import { openLedger } from '../../ledgers/index.ts';
import type { DestinationOptions } from '../contract.ts';
import { forgetAbsent, missingIn, type OpenLedger } from '../file/missing-rows.ts';
import { acceptedRows, missingRows } from '../file/output-mismatch.ts';

/** Ledger of an output that consists of several files. All rows are read at every start. */
export class FolderLedger {
  readonly #opened: OpenLedger;
  readonly #options: DestinationOptions;
  readonly #noun: string;
  /** Uuids of rows that the ledger does not name: a run was killed before it marked them. */
  #unknown: string[] = [];

  private constructor(opened: OpenLedger, options: DestinationOptions, noun: string) {
    this.#noun = noun;
    this.#opened = opened;
    this.#options = options;
  }

  /** Opens the ledger of an output; returns undefined if it has none. @param noun word for a row in messages */
  static async open(options: DestinationOptions, noun = 'row'): Promise<FolderLedger | undefined> {
    const { ledger: place, path, warn, patience } = options;
    if (place === undefined) return undefined;
    const ledger = openLedger(place, warn, { patience });
    const writer = await ledger.open(path);
    try {
      return new FolderLedger({ path, ledger, writer, history: await ledger.history(path) }, options, noun);
    } catch (error) {
      await writer.close();
      throw error;
    }
  }

  /** Records a row that was found in the output. */
  meet(uuid: string): void {
    if (this.isUnknown(uuid)) this.#unknown.push(uuid);
  }

  /** Returns whether the ledger says nothing about the row of a uuid. */
  isUnknown(uuid: string): boolean {
    const { saved, undone } = this.#opened.history;
    return !saved.has(uuid) && !undone.has(uuid);
  }

  /**
   * Compares all rows of the output with the ledger.
   * @throws {TaskpipeError} `DATA` if rows are missing that the ledger names, unless edits are accepted
   */
  async agree(met: IdSet): Promise<void> {
    const { path, warn, sync, acceptEdits } = this.#options;
    const { place } = this.#opened.ledger;
    const missing = await missingIn(this.#opened, met);
    if (missing.count === 0) return;
    if (!acceptEdits) throw missingRows(path, place, missing, { isEmpty: met.size === 0, noun: this.#noun });
    await forgetAbsent(this.#opened, met, sync);
    warn(acceptedRows(path, missing.count, place, this.#noun));
  }

  /** Returns true, once per uuid, if its row is in the output but it was taken back. */
  isUnmarked(uuid: string): boolean {
    return this.#opened.history.undone.delete(uuid);
  }

  /** Marks uuids with durable rows as finished, and also uuids of rows that were found without a mark. */
  async mark(uuids: readonly string[]): Promise<void> {
    const all = this.#unknown.length === 0 ? uuids : [...this.#unknown, ...uuids];
    if (all.length === 0) return;
    const entries = all.map((uuid) => ({ uuid, end: 0 }));
    await this.#opened.writer.append(entries, this.#options.sync);
    this.#unknown = [];
  }

  check(): Promise<void> {
    return this.#opened.writer.check();
  }

  close(): Promise<void> {
    return this.#opened.writer.close();
  }
}
