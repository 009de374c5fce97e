import { appendFileSync } from 'node:fs';
import { textOf } from '../../core/base/format.ts';
import type { Io } from '../../core/options/command.ts';
import { parseTask } from '../../core/record/ndjson.ts';
import { stateOf, Task } from '../../core/record/task.ts';
import { steadyPath } from '../../core/storage/linked-path.ts';
import type { Execution } from '../../stages/exec/exec.ts';
import { queuePipeOf } from '../queue-pipe.ts';

const NEWLINE = 10;

/** Input of a stage. Its unread part is available at any time. */
export class WatchedInput {
  /** Beginning of a line whose end has not come yet. */
  #tail: Buffer = Buffer.alloc(0);

  async *watch(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      const last = chunk.lastIndexOf(NEWLINE);
      this.#tail = last < 0 ? Buffer.concat([this.#tail, chunk]) : chunk.subarray(last + 1);
      yield chunk;
    }
  }

  /** Returns the tasks whose lines are complete. @param unread bytes that were taken from the pipe after the last chunk */
  tasks(unread: Buffer): Task[] {
    const bytes = Buffer.concat([this.#tail, unread]);
    const whole = bytes.subarray(0, bytes.lastIndexOf(NEWLINE) + 1).toString();
    const parsed = unread.length === 0 ? [] : whole.split('\n').map(parseTask);
    return parsed.filter((task) => task instanceof Task);
  }
}

/** Parts of a run that its rescue needs. */
interface Rescued {
  readonly tasks: Execution;
  readonly input: WatchedInput;
  /** File of `--unfinished`. */
  readonly unfinished: string | undefined;
  /** Returns the number of records that were written. */
  readonly written: () => number;
}

/**
 * Returns whether unfinished tasks must not be passed on as PENDING, because the user code ends the stage and a queue
 * delivers them again. PENDING would return the task that ends the stage to the front, uncounted, forever. A task
 * that does not come back is a suspect of `task-queue pull` instead.
 */
function isLeftToQueue(io: Io): boolean {
  return io.signal === undefined && queuePipeOf(io) !== undefined;
}

/** Returns a function that leaves out unfinished tasks after an uncaught error of user code, if a queue has them. */
export function outputFilter(io: Io): (batch: readonly Task[]) => readonly Task[] {
  let isLeft: boolean | undefined;
  return (batch) => {
    if (!io.stopping.aborted || io.signal !== undefined) return batch;
    isLeft ??= isLeftToQueue(io);
    return isLeft ? batch.filter((task) => stateOf(task) !== 'PENDING') : batch;
  };
}

/** Offers to write the records that are not written yet, if user code blocks the stage until it is killed. */
export function offerRescue(io: Io, { tasks, input, unfinished, written }: Rescued): void {
  const file = unfinished === undefined ? undefined : steadyPath(unfinished);
  io.rescue?.((unread) => {
    const left = tasks.abandon(written(), input.tasks(unread));
    const pending = left.filter((task) => stateOf(task) === 'PENDING');
    const isKept = file !== undefined && pending.length > 0;
    if (isKept) appendFileSync(file(), textOf(pending));
    else if (pending.length > 0 && isLeftToQueue(io))
      return { text: textOf(left.filter((task) => !pending.includes(task))), unfinished: -1 };
    return {
      text: textOf(isKept ? left.filter((task) => !pending.includes(task)) : left),
      unfinished: pending.length,
    };
  });
}
