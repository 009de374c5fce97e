import { createHash } from 'node:crypto';
import { closeSync, constants, mkdirSync, openSync } from 'node:fs';
import { open, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode } from '../../../../core/base/errors.ts';
import { openLocked } from '../../../../core/storage/lock.ts';
import { whenFilesAreFree } from '../../transport/local-shortage.ts';
import type { BodyTarget } from './body-file.ts';
import { type BodyVersion, Notes, type Partial, readBeginning } from './partial-notes.ts';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_TRUNC, O_WRONLY } = constants;

/** Claim of one attempt to the file of a key. */
export interface PartialClaim {
  /** Beginning that an earlier attempt left. */
  readonly partial: Partial | undefined;
  /** Returns where a body is written so that it can be continued. @param from beginning that it continues */
  target(version: BodyVersion, from?: Partial): BodyTarget | undefined;
  /** Number of bytes by which the beginning is longer than all before it; known after `release`. */
  readonly gained: number;
  /** Removes the beginning. @param isDone true if there will be no other attempt */
  forget(isDone: boolean): Promise<void>;
  /** Releases the key for another attempt, once the file is closed. */
  release(): Promise<void>;
}

const DATA = '.part';
/** Ending of the file beside it, with the version in the first line and lengths with their hashes in the others. */
const NOTES = '.part.json';

/**
 * Beginnings of bodies that broke off, named by a key. Another attempt, or another run, continues them. A beginning
 * is used as far as a recorded hash matches its bytes, so neither a crash nor an editor can corrupt the body.
 */
export class PartialFiles {
  readonly #folder: string;
  /** Descriptor of the lock; undefined until it is needed, or if another process has it. */
  #lock: number | undefined;
  #isLocked: boolean | undefined;
  /** Keys of the beginnings on the disk. */
  readonly #known: Set<string>;
  /** Keys of attempts under way, with the end of their files. */
  readonly #busy = new Map<string, Promise<void> | undefined>();
  /** Beginnings of this run, which need not be read again. */
  readonly #fresh = new Map<string, Partial>();

  /** Longest beginning so far, in bytes, by key; only if its whole length is known. */
  readonly #longest = new Map<string, number>();

  private constructor(folder: string, known: Set<string>) {
    this.#folder = folder;
    this.#known = known;
  }

  /** Lists the beginnings that earlier runs left in a folder, which need not exist. */
  static async open(folder: string): Promise<PartialFiles> {
    const names = await readdir(folder).catch(() => []);
    const late = names.filter((name) => name.endsWith('.tmp')).map((name) => removeOld(join(folder, name)));
    await Promise.all(late);
    const ours = names.filter((name) => name.endsWith(NOTES)).map((name) => name.slice(0, -NOTES.length));
    return new PartialFiles(folder, new Set(ours));
  }

  /** Claims the file of a key for the body of a url. Returns undefined if another attempt has it. */
  async claim(key: string, url: string): Promise<PartialClaim | undefined> {
    if (this.#busy.has(key)) return undefined;
    this.#busy.set(key, undefined);
    const partial = this.#known.has(key) && this.#mayUse() ? await this.#find(key, url) : undefined;
    const before = this.#longest.get(key) ?? 0;
    const longest = this.#longest;
    return {
      partial,
      target: (version, from) => (this.#mayUse() ? this.#target(key, version, from) : undefined),
      get gained() {
        return (longest.get(key) ?? 0) - before;
      },
      forget: async (isDone) => {
        if (isDone) longest.delete(key);
        await this.#forget(key);
      },
      release: async () => {
        await this.#busy.get(key);
        this.#busy.delete(key);
      },
    };
  }

  async #find(key: string, url: string): Promise<Partial | undefined> {
    const path = join(this.#folder, key);
    const fresh = this.#fresh.get(key);
    const partial = fresh ?? (await readBeginning(path + DATA, path + NOTES).catch(() => undefined));
    const size = partial && (await stat(path + DATA).catch(() => undefined))?.size;
    if (size !== undefined && size >= (partial?.bytes ?? 0) && partial?.version.url === url) return partial;
    await this.#forget(key);
    return undefined;
  }

  async #forget(key: string): Promise<void> {
    if (!this.#known.delete(key)) return;
    this.#fresh.delete(key);
    const path = join(this.#folder, key);
    await rm(path + DATA, { force: true }).catch(() => {});
    await rm(path + NOTES, { force: true }).catch(() => {});
  }

  #target(key: string, version: BodyVersion, from: Partial | undefined): BodyTarget {
    const path = join(this.#folder, key) + DATA;
    let end = (): void => {};
    const ended = new Promise<void>((resolve) => {
      end = resolve;
    });
    this.#busy.set(key, ended);
    const notes = new Notes(join(this.#folder, key) + NOTES, from?.bytes ?? 0, version.length);
    return {
      path,
      isLasting: true,
      length: version.length,
      open: async () => {
        this.#known.add(key);
        this.#fresh.delete(key);
        const flags = O_WRONLY | O_APPEND | O_NOFOLLOW | (from === undefined ? O_CREAT | O_TRUNC : 0);
        const file = await whenFilesAreFree(() => open(path, flags, 0o666));
        await (from === undefined ? notes.begin(version) : file.truncate(from.bytes));
        return { file, path, hash: from?.hash ?? createHash('sha256'), bytes: from?.bytes ?? 0 };
      },
      wrote: (body) => notes.progress(body),
      keep: async (body) => {
        await notes.add(body);
        await body.file.close().catch(() => {});
        if (version.length !== undefined)
          this.#longest.set(key, Math.max(body.bytes, this.#longest.get(key) ?? 0));
        if (body.bytes !== version.length)
          this.#fresh.set(key, { version, bytes: body.bytes, hash: body.hash });
        return body.bytes > 0;
      },
      forget: () => this.#forget(key),
      ended: end,
    };
  }

  /** Returns whether this process may use the folder: one at a time. */
  #mayUse(): boolean {
    this.#isLocked ??= this.#takeLock();
    return this.#isLocked;
  }

  #takeLock(): boolean {
    const path = join(this.#folder, 'lock');
    try {
      mkdirSync(this.#folder, { recursive: false });
    } catch (error) {
      if (systemCode(error) !== 'EEXIST') return false;
    }
    try {
      this.#lock = openLocked(
        path,
        () => openSync(path, 'a'),
        'exclusive',
        '',
        () => {},
      );
      return true;
    } catch {
      return false;
    }
  }

  /** Waits for running writes, and removes the folder if it is empty. */
  async close(): Promise<void> {
    await Promise.all(this.#busy.values());
    const lock = this.#lock;
    if (lock === undefined) return;
    this.#lock = undefined;
    await rm(join(this.#folder, 'lock'), { force: true }).catch(() => {});
    await rmdir(this.#folder).catch(() => {}); // unless a file is left in it
    closeSync(lock);
  }
}

/** Age from which a temporary file is certainly that of a process that was killed, in milliseconds: a week. */
const OLD = 7 * 86_400_000;

async function removeOld(path: string): Promise<void> {
  const { mtimeMs } = (await stat(path).catch(() => undefined)) ?? { mtimeMs: Date.now() };
  if (Date.now() - mtimeMs > OLD) await rm(path, { force: true }).catch(() => {});
}
