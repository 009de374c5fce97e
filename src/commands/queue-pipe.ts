import { join } from 'shlex';
import type { Io } from '../core/options/command.ts';
import { scrubbed } from '../core/options/secrets.ts';

/** Later stages of a pipe that settles its tasks in a queue. */
export interface QueuePipe {
  /** Command line of `task-queue ack`, without secrets. */
  readonly ack: string;
  /** True if a later stage is task-save, which says what the queue does. */
  readonly isSaidLater: boolean;
}

/** Words of `task-queue ack` in a command line, also as one word for ssh. */
const ACK = /(?:^|[/\s])task-queue\s(?:.*\s)?n?ack\b/;

/** Hint about failed tasks in such a pipe. */
export const QUEUE_HINT = 'the queue delivers failed tasks again, or lists them: task-queue dead';

/** Returns the end of the pipe if a later stage is `task-queue ack`; undefined if not, or if the system does not tell. */
export function queuePipeOf({ isPiped, laterStages }: Io): QueuePipe | undefined {
  if (!isPiped) return undefined;
  const stages = laterStages();
  const words = stages.find((stage) => ACK.test(stage.join(' ')));
  if (words === undefined) return undefined;
  const at = words.findIndex((word) => /(?:^|\/)task-queue$/.test(word));
  const typed = at < 0 ? ['ack'] : words.slice(at + 1);
  return {
    ack: join(['task-queue', ...typed.map(scrubbed)]),
    isSaidLater: stages.some((stage) => stage.some((word) => /(?:^|\/)task-save$/.test(word))),
  };
}
