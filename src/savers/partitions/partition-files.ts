import { mkdirSync, readdirSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { ioError } from '../../core/base/errors.ts';
import { syncFolder } from '../../core/storage/durable.ts';
import type { Destination } from '../contract.ts';
import { folderOf, sameName, twinOf } from './partition-names.ts';

/** Maximum number of open files; opening another one closes the least recently used one. */
const MOST_OPEN = 200;

/** Function that opens the output of one partition. @param onRow called with the uuid of each of its rows */
export type OpenPartition = (path: string, onRow?: (uuid: string) => void) => Promise<Destination>;

/** Files of the partitions of an output `DIR/FILE`: `DIR/NAME=VALUE/FILE`. */
export class PartitionFiles {
  readonly #root: string;
  readonly #file: string;
  readonly #name: string;
  readonly #open: OpenPartition;
  /** Names of folders by their keys, as `sameName` returns them. */
  readonly #folders = new Map<string, string>();
  /** Folders by value. */
  readonly #known = new Map<string, string>();
  /** Open files by folder, the most recently used one at the end. */
  readonly #pool = new Map<string, Destination>();

  constructor(path: string, name: string, open: OpenPartition) {
    this.#root = dirname(path);
    this.#file = basename(path);
    this.#name = name;
    this.#open = open;
  }

  /** Opens and closes every existing file, to repair it after a crash and to report its rows. */
  async visit(onRow: (uuid: string) => void): Promise<void> {
    mkdirSync(this.#root, { recursive: true });
    const prefix = folderOf(this.#name, 'x').slice(0, -1);
    for (const folder of readdirSync(this.#root).sort()) {
      if (!folder.startsWith(prefix)) continue;
      this.#folders.set(sameName(folder), folder);
      const path = join(this.#root, folder, this.#file);
      if (statSync(path, { throwIfNoEntry: false }) === undefined) continue;
      await closed(await this.#open(path, onRow), true);
    }
  }

  /** Returns the folder of a value. Of two values whose names differ only in case, the second is written as bytes. */
  folderOf(value: string): string {
    const known = this.#known.get(value);
    if (known !== undefined) return known;
    const usual = folderOf(this.#name, value);
    const there = this.#folders.get(sameName(usual));
    const folder = there === undefined || there === usual ? usual : twinOf(this.#name, value);
    this.#folders.set(sameName(folder), folder);
    if (this.#known.size > 10_000) this.#known.clear();
    this.#known.set(value, folder);
    return folder;
  }

  /** Returns the open file of a folder. */
  async at(folder: string): Promise<Destination> {
    const open = this.#pool.get(folder);
    if (open !== undefined) {
      this.#pool.delete(folder);
      this.#pool.set(folder, open);
      return open;
    }
    if (this.#pool.size >= MOST_OPEN) await this.#closeOldest();
    const path = join(this.#root, folder, this.#file);
    try {
      mkdirSync(dirname(path), { recursive: true });
      syncFolder(dirname(path));
    } catch (error) {
      throw ioError('cannot create', dirname(path), error);
    }
    const destination = await this.#open(path);
    this.#pool.set(folder, destination);
    return destination;
  }

  async #closeOldest(): Promise<void> {
    const [[folder, destination]] = this.#pool as unknown as [[string, Destination]];
    this.#pool.delete(folder);
    await closed(destination, true);
  }

  /** Completes and closes all files. @param isWhole false if the run was stopped */
  async finish(isWhole: boolean): Promise<void> {
    for (const destination of this.#pool.values()) await destination.finish(isWhole);
  }

  async close(): Promise<void> {
    for (const destination of this.#pool.values()) await destination.close();
    this.#pool.clear();
  }
}

async function closed(destination: Destination, isWhole: boolean): Promise<void> {
  try {
    await destination.finish(isWhole);
  } finally {
    await destination.close();
  }
}
