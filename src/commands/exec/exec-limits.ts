import type { Task } from '../../core/record/task.ts';
import type { Rate } from '../../core/schedule/rate.ts';
import type { Executor } from '../../executors/contract.ts';
import type { Queues } from '../../queues/index.ts';
import { type Limits, type LimitValues, openLimits } from '../../stages/exec/limits/index.ts';
import { LongWaits } from '../../stages/exec/limits/long-waits.ts';
import type { Load } from '../../stages/exec/limits/machine/machine-load.ts';
import { MachineRoom } from '../../stages/exec/limits/machine/machine-room.ts';
import { withSharedQuotas } from '../../stages/queue/shared-quotas.ts';
import { withSharedRate } from '../../stages/queue/shared-rate.ts';

/** Option values and functions that determine the limits of a run. */
interface ExecLimitValues extends LimitValues {
  readonly memfree: number | undefined;
  readonly load: Load | undefined;
  readonly stopping: AbortSignal;
  readonly info: (message: string) => void;
  /** Returns what to wait for until events are written. */
  readonly events: (() => Promise<void> | undefined) | undefined;
  /** Returns the number of running calls. */
  readonly running: () => number;
}

/** Limits of a run. */
interface ExecLimits {
  /** Limits of costs; undefined if there are none. */
  readonly costs: Limits | undefined;
  /** Returns what to wait for before more tasks start; undefined if nothing limits that. */
  readonly room: (() => Promise<void> | undefined) | undefined;
  /** Notes that a server asked for a pause of a lane. @param ms in milliseconds */
  paused(lane: string, ms: number): void;
  /** Returns the costs for the progress line. @param share finished part of all tasks, if it is known */
  notes(share?: number): readonly string[];
  close(): void;
}

/** Options of limits that all machines share. */
interface SharedValues extends Pick<LimitValues, 'quota'> {
  readonly hostRate: Rate | undefined;
  readonly queues: Queues;
  /** Returns the lane of a task. Default: as the executor says. */
  readonly lane: ((task: Task) => string) | undefined;
  /** Limits of costs; undefined if there are none. */
  readonly limits: Limits | undefined;
  readonly stopping: AbortSignal;
}

/** Returns an executor that waits for rates and quotas which all machines share. */
export function withShared(executor: Executor, values: SharedValues): Executor {
  const { hostRate, quota: quotas, queues, lane, limits, stopping } = values;
  const laneOf = lane ?? executor.lane?.bind(executor) ?? (() => '');
  const paced =
    hostRate === undefined ? executor : withSharedRate(executor, hostRate, queues, stopping, laneOf);
  if (limits === undefined || quotas.length === 0) return paced;
  const { model, longWaits } = limits;
  return withSharedQuotas(paced, { queues, quotas, model, laneOf, stopping, longWaits });
}

/** Opens the limits that the options ask for. @throws {TaskpipeError} as `openLimits` */
export function openExecLimits(values: ExecLimitValues): ExecLimits {
  const { memfree, load, events } = values;
  const costs = openLimits(values);
  const machine = memfree === undefined && load === undefined ? undefined : new MachineRoom(values);
  const longWaits = costs?.longWaits ?? new LongWaits(values.info);
  return {
    costs,
    paused: (lane, ms) => longWaits.note(ms, lane, () => 'the server, which asked for a pause'),
    room: machine === undefined ? events : () => events?.() ?? machine.room(),
    notes: (share) => costs?.notes(share) ?? [],
    close: () => machine?.close(),
  };
}
