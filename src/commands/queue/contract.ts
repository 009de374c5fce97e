import type { Io } from '../../core/options/command.ts';
import type { OptionValues } from '../../core/options/option.ts';
import type { Rejects } from '../../core/text/rejects.ts';
import type { Queue } from '../../queues/index.ts';
import type { options } from './options.ts';

export type VerbValues = OptionValues<typeof options>;

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
