import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { ioError, type TaskpipeError } from '../../core/base/errors.ts';
import { IdSet } from '../../core/ids/index.ts';
import type { Failure } from '../../core/record/task.ts';
import { datasync, syncFolder } from '../../core/storage/durable.ts';
import { assertOwnFile, headerOf } from '../../core/storage/file-kind.ts';
import { openLocked } from '../../core/storage/lock.ts';
import { GrowingFile } from '../../core/storage/named-file.ts';
import type { FlowChange, KeptAtoms } from './atom-storage.ts';
import { FINAL, findEnd, type KeptRun, type LinePlace, readFlowLog, runKey } from './flow-log-read.ts';
import type { Journal } from './steps.ts';

/** End of a run, as its record needs it. */
export interface RunEnd {
  readonly state: string;
  /** JSON text. */
  readonly result?: string | undefined;
  readonly error?: Failure | undefined;
  /** State of its atoms that a later revert needs, after `SUCCESS`. */
  readonly atoms?: KeptAtoms | undefined;
}

/** Log of flow runs for many tasks, in one file. After a crash, the next process resumes the runs from it. */
export interface FlowLog {
  /**
   * Returns what was stored of a task's run: its changes, or its end if it succeeded or could not be reverted.
   * Returns undefined if there is nothing to resume. Changes can be taken once, an end any number of times.
   */
  take(flow: string, uuid: string): KeptFlow | undefined | Promise<KeptFlow | undefined>;
  /** Returns a journal that stores the changes of a task's run. */
  journal(flow: string, uuid: string): Journal;
  /**
   * Records the end of a run, and resolves when the record is synced. If the run succeeded, or could not be
   * reverted, the task does not run again.
   */
  end(flow: string, uuid: string, end: RunEnd): Promise<void>;
  /** Writes the remaining changes and closes the file. Later changes are lost. */
  close(): Promise<void>;
}

/** Changes of a run to resume, or the end of one that does not run again. */
export type KeptFlow = { readonly changes: readonly FlowChange[] } | { readonly end: RunEnd };

/** Options of a log. */
export interface FlowLogOptions {
  /** True to revert finished runs: those that were reverted already are then not reverted again. Default false. */
  readonly isForRevert?: boolean | undefined;
}

/**
 * Opens a log: append-only JSONL with one line for each change, and one for the end of each run.
 * @param warn writes a message for the user
 * @throws {TaskpipeError} `IO`; `LOCKED` if another process has it open; `USAGE` or `DATA` if it is not a
 *   file, or not a flow log
 */
export async function openFlowLog(
  path: string,
  warn: (message: string) => void,
  { isForRevert = false }: FlowLogOptions = {},
): Promise<FlowLog> {
  let fd: number;
  try {
    assertOwnFile(path, 'flow log');
    const isNew = !existsSync(path);
    const hint = isForRevert ? 'revert when it has ended' : 'give each its own --flow-log';
    const busy = `${path} is in use by another process; ${hint}`;
    fd = openLocked(path, () => openSync(path, 'a+', 0o666), 'exclusive', busy, warn);
    if (isNew) syncFolder(path);
    begin(path, fd);
  } catch (error) {
    throw ioError('cannot open the flow log', path, error);
  }
  try {
    const finals = isForRevert ? [...FINAL, 'REVERTED'] : FINAL;
    return new JsonlFlowLog(path, fd, finals, await readFlowLog(path, finals));
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Writes the header into an empty file. A crash may have torn the header of a file without other lines. */
function begin(path: string, fd: number): void {
  const header = headerOf('flow log');
  const start = readFileSync(path)
    .subarray(0, header.length + 1)
    .toString();
  if (start.length > header.length || !header.startsWith(start)) return;
  ftruncateSync(fd, 0);
  writeSync(fd, `${header}\n`);
}

class JsonlFlowLog implements FlowLog {
  readonly #path: string;
  readonly #fd: number;
  readonly #kept: Map<string, KeptRun>;
  /** States in which a run does not run again. */
  readonly #finals: readonly unknown[];
  readonly #file: GrowingFile;
  /** Runs that ended for good in this process. */
  readonly #ended = new IdSet();
  #lines = '';
  /** Write in progress. */
  #writing: Promise<void> | undefined;
  /** Next write, for lines added since the current one began. */
  #next: Promise<void> | undefined;
  #failure: TaskpipeError | undefined;
  #isClosed = false;

  constructor(path: string, fd: number, finals: readonly unknown[], kept: Map<string, KeptRun>) {
    this.#finals = finals;
    this.#path = path;
    this.#fd = fd;
    this.#kept = kept;
    this.#file = new GrowingFile(path, fd);
  }

  take(flow: string, uuid: string): ReturnType<FlowLog['take']> {
    const key = runKey(flow, uuid);
    const run = this.#kept.get(key);
    if (run === undefined) return this.#ended.has(key) ? this.#find(flow, uuid) : undefined;
    if ('changes' in run) {
      this.#kept.delete(key);
      return run;
    }
    return { end: this.#read(run) };
  }

  /** Finds the end of a run of this process: the place of each would take too much memory. */
  async #find(flow: string, uuid: string): Promise<KeptFlow | undefined> {
    const place = await findEnd(this.#path, { flow, uuid, finals: this.#finals });
    return place === undefined ? undefined : { end: this.#read(place) };
  }

  #read({ start, length }: LinePlace): RunEnd {
    const bytes = Buffer.alloc(length);
    readSync(this.#fd, bytes, 0, length, start);
    const { end, result, error, atoms } = JSON.parse(bytes.toString()) as {
      readonly end: string;
      readonly result?: unknown;
      readonly error?: Failure;
      readonly atoms?: KeptAtoms;
    };
    return { state: end, result: JSON.stringify(result), error, atoms };
  }

  journal(flow: string, uuid: string): Journal {
    const begin = beginOf(flow, uuid);
    return {
      add: (change) => this.#add(begin + JSON.stringify(change).slice(1)),
      sync: () => this.#sync(),
    };
  }

  async end(flow: string, uuid: string, { state, result, error, atoms }: RunEnd): Promise<void> {
    const isFinal = this.#finals.includes(state);
    const more = atoms === undefined ? '' : `,"atoms":${JSON.stringify(atoms)}`;
    const kept = (isFinal && result !== undefined ? `,"result":${result}` : '') + more;
    const why = isFinal && error !== undefined ? `,"error":${JSON.stringify(error)}` : '';
    this.#add(`${beginOf(flow, uuid)}"end":"${state}"${kept}${why}}`);
    await this.#sync();
    if (!isFinal) return;
    const key = runKey(flow, uuid);
    this.#kept.delete(key); // a run that is reverted now had ended before
    this.#ended.add(key);
  }

  #add(line: string): void {
    if (!this.#isClosed) this.#lines += `${line}\n`;
  }

  /** Syncs the changes. After `close()` it never resolves: the process is exiting, and no atom may act. */
  #sync(): Promise<void> {
    return this.#isClosed ? new Promise(() => {}) : this.#flush();
  }

  /** Writes the pending lines. All callers that wait for the same write share it. */
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
      await undefined; // lines added in this turn join the write
      if (this.#lines === '') return;
      // The leading newline ends a line torn by a crash, so that ours cannot become its tail.
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
    this.#isClosed = true; // first: later calls must not write to the closed descriptor
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
