import { closeSync, fstatSync } from 'node:fs';
import { resolve } from 'node:path';
import { ioError, TaskpipeError } from '../../core/base/errors.ts';
import type { Failure } from '../../core/record/task.ts';
import { datasync } from '../../core/storage/durable.ts';
import { GrowingFile } from '../../core/storage/named-file.ts';
import type { FlowChange, KeptAtoms } from '../run/atom-storage.ts';
import type { Journal } from '../run/steps.ts';
import { compactFlowLog } from './flow-log-compact.ts';
import { beginOf, changeText, endText, type RunEnd, writeLines } from './flow-log-line.ts';
import { runLineAt } from './flow-log-read.ts';
import { type RunEnds, RunKeys, runKey } from './run-ends.ts';

export type { RunEnd } from './flow-log-line.ts';

/** Log of flow runs for many tasks, in one file. After a crash, the next process resumes the runs from it. */
export interface FlowLog {
  /**
   * Returns the stored data of a task's run: its changes, or its end if it succeeded or could not be reverted.
   * Returns undefined if there is nothing to resume. Changes can be read once, an end any number of times.
   */
  take(flow: string, uuid: string): KeptFlow | undefined;
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

/** Changes of a run to resume, or the end of a run that does not run again. */
export type KeptFlow = { readonly changes: readonly FlowChange[] } | { readonly end: RunEnd };

/** Open and locked log, with the data that was read from it. */
export interface OpenedLog {
  readonly path: string;
  readonly fd: number;
  /** Runs that ended for good. */
  readonly ends: RunEnds;
  /** Changes of the runs that have not ended, by their keys. */
  readonly changes: Map<string, FlowChange[]>;
  /** States in which a run does not run again. */
  readonly finals: readonly unknown[];
}

/** End of a run that is not written yet. */
interface NewEnd {
  readonly flow: string;
  readonly uuid: string;
  /** True if the run does not run again. */
  readonly isFinal: boolean;
  /** Position of its line among the lines to write, in characters. */
  readonly at: number;
}

/** Log in a file. It owns the descriptor. */
export class JsonlFlowLog implements FlowLog {
  readonly #path: string;
  /** The path when the log was opened: user code may change the working folder. */
  readonly #absolute: string;
  readonly #compactAt: number;
  readonly #finals: readonly unknown[];
  readonly #warn: (message: string) => void;
  #fd: number;
  #file: GrowingFile;
  /** Size of the file in bytes. */
  #size: number;
  /** Size at which the log is compacted next, in bytes. */
  #limit: number;
  /** Runs that ended for good. */
  #ends: RunEnds;
  /** Changes of runs that have not ended, and were not read yet, by their keys. */
  readonly #changes: Map<string, FlowChange[]>;
  readonly #keys = new RunKeys();
  /** Short keys of the runs that have not ended and go on in this process. */
  readonly #live = new Set<string>();
  #lines = '';
  /** Ends of runs in `#lines`. */
  #newEnds: NewEnd[] = [];
  /** Write in progress. */
  #writing: Promise<void> | undefined;
  /** Next write, for lines added since the current one began. */
  #next: Promise<void> | undefined;
  #compacting: Promise<void> | undefined;
  #failure: TaskpipeError | undefined;
  #isClosed = false;

  constructor(
    { path, fd, ends, changes, finals }: OpenedLog,
    compactAt: number,
    warn: (message: string) => void,
  ) {
    this.#path = path;
    this.#absolute = resolve(path);
    this.#compactAt = compactAt;
    this.#warn = warn;
    this.#fd = fd;
    this.#file = new GrowingFile(path, fd);
    this.#size = fstatSync(fd).size;
    this.#limit = Math.max(compactAt, 2 * this.#size);
    this.#ends = ends;
    this.#changes = changes;
    this.#finals = finals;
  }

  take(flow: string, uuid: string): KeptFlow | undefined {
    const changes = this.#changes.size === 0 ? undefined : this.#takeChanges(flow, uuid);
    if (changes !== undefined) return { changes };
    const place = this.#ends.get(flow, uuid);
    return place === undefined ? undefined : { end: this.#read(place, flow, uuid) };
  }

  #takeChanges(flow: string, uuid: string): readonly FlowChange[] | undefined {
    const key = runKey(flow, uuid);
    const changes = this.#changes.get(key);
    if (changes !== undefined) {
      this.#live.add(this.#keys.of(flow, uuid));
      this.#changes.delete(key);
    }
    return changes;
  }

  #read(place: number, flow: string, uuid: string): RunEnd {
    const line = runLineAt(this.#fd, place, flow, uuid);
    if (line === undefined)
      throw new TaskpipeError(
        'IO',
        `${this.#path} was changed by another program; run the same command again`,
      );
    const { end, result, error, atoms } = line as {
      readonly end: string;
      readonly result?: unknown;
      readonly error?: Failure;
      readonly atoms?: KeptAtoms;
    };
    return { state: end, result: JSON.stringify(result), error, atoms };
  }

  journal(flow: string, uuid: string): Journal {
    const begin = beginOf(flow, uuid);
    this.#live.add(this.#keys.of(flow, uuid));
    return {
      add: (change) => this.#add(begin, changeText(change)),
      sync: () => this.#sync(),
    };
  }

  end(flow: string, uuid: string, end: RunEnd): Promise<void> {
    const isFinal = this.#finals.includes(end.state);
    this.#newEnds.push({ flow, uuid, isFinal, at: this.#lines.length });
    this.#add(beginOf(flow, uuid), endText(end, isFinal));
    return this.#sync();
  }

  #add(begin: string, rest: string): void {
    if (!this.#isClosed) this.#lines += begin + rest;
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
      await this.#compacting; // lines added in this turn join the write
      if (this.#lines === '') return;
      const [lines, ends, start] = [this.#lines, this.#newEnds, this.#size];
      this.#lines = '';
      this.#newEnds = [];
      this.#size += writeLines(this.#fd, lines);
      if (this.#file.isFile) await datasync(this.#fd);
      await this.#file.check({ again: ': flows whose changes are lost start from the beginning' });
      this.#noteEnds(ends, lines, start + 1);
      if (this.#size >= this.#limit && !this.#isClosed) this.#compacting = this.compact();
    } catch (error) {
      this.#failure = ioError('cannot write to the flow log', this.#path, error);
      throw this.#failure;
    } finally {
      this.#writing = undefined;
    }
  }

  /** Notes the ends of runs that are stored now. @param start offset of the lines in the file, in bytes */
  #noteEnds(ends: readonly NewEnd[], lines: string, start: number): void {
    const isAscii = this.#size - start === lines.length;
    let [place, read] = [start, 0];
    for (const { flow, uuid, isFinal, at } of ends) {
      place += isAscii ? at - read : Buffer.byteLength(lines.slice(read, at));
      read = at;
      if (isFinal) this.#ends.set(flow, uuid, place);
      this.#live.delete(this.#keys.of(flow, uuid));
    }
  }

  /** Removes lines that are no longer needed. Writes wait for it. If that fails, the old log stays in use. */
  async compact(): Promise<void> {
    try {
      const live = new Set(this.#changes.keys());
      for (const key of this.#live) live.add(this.#keys.long(key)); // a snapshot: runs may end while it is written
      const { fd, ends } = await compactFlowLog(this.#absolute, this.#fd, live, this.#finals);
      closeSync(this.#fd);
      this.#fd = fd;
      this.#file = new GrowingFile(this.#path, fd);
      this.#ends = ends;
      this.#size = fstatSync(fd).size;
    } catch (error) {
      this.#warn(`${ioError('cannot compact the flow log', this.#path, error).message}; it keeps growing`);
    } finally {
      this.#compacting = undefined;
      this.#limit = Math.max(this.#compactAt, 2 * this.#size);
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
