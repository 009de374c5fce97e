import { closeSync, existsSync, openSync, readSync, writeSync } from 'node:fs';
import { ioError, type TaskpipeError } from '../../core/base/errors.ts';
import { datasync, syncFolder } from '../../core/storage/durable.ts';
import { assertOwnFile } from '../../core/storage/file-kind.ts';
import { openLocked } from '../../core/storage/lock.ts';
import { GrowingFile } from '../../core/storage/named-file.ts';
import type { FlowChange } from './atom-storage.ts';
import { type KeptRun, readFlowLog, runKey } from './flow-log-read.ts';
import type { Journal } from './steps.ts';

/** Keeps the runs of a flow for many tasks in one file, so that a process that was killed can go on with them. */
export interface FlowLog {
  /**
   * What became of a task's run in an earlier process: its changes, or the result (JSON text) that it ended well with.
   * Undefined where there is none to go on with. To be asked for once: what is taken is forgotten.
   */
  take(
    flow: string,
    uuid: string,
  ): { readonly changes: readonly FlowChange[] } | { readonly result: string } | undefined;
  /** Keeps the changes of a task's run. */
  journal(flow: string, uuid: string): Journal;
  /**
   * Closes a run that has ended, and resolves when that is safe.
   * @param result JSON text, where it ended well: the task is then not run again
   */
  end(flow: string, uuid: string, state: string, result: string | undefined): Promise<void>;
  /** Resolves when all is written. What is added later is lost. */
  close(): Promise<void>;
}

/**
 * Opens a log: JSONL that is only added to, a line for each change of an atom, and one that closes a run.
 * @param say a line for people
 * @throws {TaskpipeError} `IO`; `LOCKED` where another process has it open; `USAGE`, `DATA` where it is something else
 */
export async function openFlowLog(path: string, say: (message: string) => void): Promise<FlowLog> {
  let fd: number;
  try {
    assertOwnFile(path, 'flow log');
    const isNew = !existsSync(path);
    const busy = `${path} is in use by another process; give each its own --flow-log`;
    fd = openLocked(path, () => openSync(path, 'a+', 0o666), 'exclusive', busy, say);
    if (isNew) syncFolder(path);
  } catch (error) {
    throw ioError('cannot open the flow log', path, error);
  }
  try {
    const kept = await readFlowLog(path);
    return new JsonlFlowLog(path, fd, kept);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

class JsonlFlowLog implements FlowLog {
  readonly #path: string;
  readonly #fd: number;
  readonly #kept: Map<string, KeptRun>;
  readonly #file: GrowingFile;
  #lines = '';
  /** The write that is under way, and the one that takes what was added since it began. */
  #writing: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #failure: TaskpipeError | undefined;
  #isClosed = false;

  constructor(path: string, fd: number, kept: Map<string, KeptRun>) {
    this.#path = path;
    this.#fd = fd;
    this.#kept = kept;
    this.#file = new GrowingFile(path, fd);
  }

  take(flow: string, uuid: string): { changes: readonly FlowChange[] } | { result: string } | undefined {
    const key = runKey(flow, uuid);
    const run = this.#kept.get(key);
    if (run === undefined) return undefined;
    if ('changes' in run) {
      this.#kept.delete(key);
      return run;
    }
    const bytes = Buffer.alloc(run.length);
    readSync(this.#fd, bytes, 0, run.length, run.start);
    return { result: JSON.stringify((JSON.parse(bytes.toString()) as { result: unknown }).result) };
  }

  journal(flow: string, uuid: string): Journal {
    const begin = beginOf(flow, uuid);
    return {
      add: (change) => this.#add(begin + JSON.stringify(change).slice(1)),
      sync: () => this.#sync(),
    };
  }

  async end(flow: string, uuid: string, state: string, result: string | undefined): Promise<void> {
    const more = result === undefined ? '' : `,"result":${result}`;
    this.#add(`${beginOf(flow, uuid)}"end":"${state}"${more}}`);
    await this.#sync();
  }

  #add(line: string): void {
    if (!this.#isClosed) this.#lines += `${line}\n`;
  }

  /** Once it is closed the process is leaving: what waits for more to be safe then waits for ever. */
  #sync(): Promise<void> {
    return this.#isClosed ? new Promise(() => {}) : this.#flush();
  }

  /** One write serves all that wait for it. */
  #flush(): Promise<void> {
    if (this.#writing === undefined) {
      this.#writing = this.#write();
      return this.#writing;
    }
    this.#next ??= this.#writing.then(() => {
      this.#next = undefined;
      return this.#flush(); // another call may have begun the next write
    });
    return this.#next;
  }

  async #write(): Promise<void> {
    try {
      if (this.#failure !== undefined) throw this.#failure; // a failed sync is final
      await undefined; // what else is added in this turn joins
      if (this.#lines === '') return;
      // The newline in front closes a line that a crash has torn: ours can't become its tail.
      const bytes = Buffer.from(`\n${this.#lines}`);
      this.#lines = '';
      const written = writeSync(this.#fd, bytes);
      if (written < bytes.length)
        throw new Error(`${written} of ${bytes.length} bytes were written; is the disk full?`);
      if (this.#file.isFile) await datasync(this.#fd);
      await this.#file.check({ again: ': flows whose changes are lost start from the beginning' });
    } catch (error) {
      this.#failure = ioError('cannot write to the flow log', this.#path, error);
      throw this.#failure;
    } finally {
      this.#writing = undefined;
    }
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true; // first: nothing may write to the descriptor once it is closed
    try {
      await this.#flush();
    } finally {
      closeSync(this.#fd);
    }
  }
}

function beginOf(flow: string, uuid: string): string {
  return `{"uuid":${JSON.stringify(uuid)},"flow":${JSON.stringify(flow)},`;
}
