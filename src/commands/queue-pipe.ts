import { join } from 'shlex';
import type { Io } from '../core/options/command.ts';
import { scrubbed } from '../core/options/secrets.ts';

/** Later stages of a pipe that settles its tasks in a queue. */
export interface QueuePipe {
  /** Command line of `task-queue ack`, without secrets. */
  readonly ack: string;
  /** True if a later stage is task-save, which then reports what the queue does. */
  readonly isSaidLater: boolean;
}

/** Hint about failed tasks in such a pipe. */
export const QUEUE_HINT = 'the queue delivers failed tasks again, or lists them: task-queue dead';

/**
 * Returns the end of the pipe if a later stage is `task-queue ack`; undefined if there is none, or if the
 * system does not show it.
 */
export function queuePipeOf({ isPiped, laterStages }: Io): QueuePipe | undefined {
  if (!isPiped) return undefined;
  const stages = laterStages();
  const typed = stages.map(ackIn).find((words) => words !== undefined);
  if (typed === undefined) return undefined;
  return {
    ack: join(['task-queue', ...typed.map(scrubbed)]),
    isSaidLater: stages.some((words) => words.some((word) => isCommand(word, 'task-save'))),
  };
}

/** Returns the words after `task-queue` if a command line acknowledges tasks, here or over ssh; else undefined. */
function ackIn(words: readonly string[]): readonly string[] | undefined {
  const isRemote = isCommand(words[0] ?? '', 'ssh');
  const all = isRemote ? words.flatMap((word) => word.split(/\s+/)) : words;
  const at = all.findIndex((word) => isCommand(word, 'task-queue'));
  const typed = all.slice(at + 1);
  if (at < 0 || !typed.some((word) => word === 'ack' || word === 'nack')) return undefined;
  return isRemote ? ['ack'] : typed;
}

function isCommand(word: string, name: string): boolean {
  return word === name || word.endsWith(`/${name}`);
}
