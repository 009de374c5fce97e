import { type Limits, type LimitValues, openLimits } from '../../stages/exec/limits/index.ts';
import type { Load } from '../../stages/exec/limits/machine-load.ts';
import { MachineRoom } from '../../stages/exec/limits/machine-room.ts';

/** Option values and functions of which the limits of a run are made. */
interface ExecLimitValues extends LimitValues {
  readonly memfree: number | undefined;
  readonly load: Load | undefined;
  readonly stopping: AbortSignal;
  readonly info: (message: string) => void;
  /** Returns what to wait for until events are written. */
  readonly events: (() => Promise<void> | undefined) | undefined;
  /** Returns the number of running tasks. */
  readonly running: () => number;
}

/** Limits of a run. */
interface ExecLimits {
  /** Limits of costs; undefined if there are none. */
  readonly costs: Limits | undefined;
  /** Returns what to wait for before more tasks start; undefined if nothing limits that. */
  readonly room: (() => Promise<void> | undefined) | undefined;
  /** Returns the costs for the progress line. @param share finished part of all tasks, if it is known */
  notes(share?: number): readonly string[];
  close(): void;
}

/** Opens the limits that the options ask for. @throws {TaskpipeError} as `openLimits` */
export function openExecLimits(values: ExecLimitValues): ExecLimits {
  const { memfree, load, events } = values;
  const costs = openLimits(values);
  const machine = memfree === undefined && load === undefined ? undefined : new MachineRoom(values);
  return {
    costs,
    room: machine === undefined ? events : () => events?.() ?? machine.room(),
    notes: (share) => costs?.notes(share) ?? [],
    close: () => machine?.close(),
  };
}
