import type { Io } from '../../core/options/command.ts';
import type { Rejects } from '../../core/text/rejects.ts';
import type { Queue } from '../../queues/index.ts';

/** Values of the options that verbs use. */
export interface VerbValues {
  readonly idSeen: 'skip' | 'again';
  readonly front: boolean;
  readonly priority: number | undefined;
  readonly delay: number;
  readonly attempts: number;
  readonly window: number;
  readonly lease: number;
  readonly untilEmpty: boolean;
  readonly worker: string | undefined;
  readonly tee: boolean;
  readonly yes: boolean;
  readonly maxLine: number;
}

/** Context of a verb. */
export interface VerbContext {
  readonly queues: readonly Queue[];
  /** Place of the queues, for messages. */
  readonly place: string;
  readonly values: VerbValues;
  readonly io: Io;
  /** Uuids on the command line. */
  readonly uuids: readonly string[];
  readonly rejects: Rejects;
}
