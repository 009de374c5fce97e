import { endOf, isOf, type Notes, type Stages, startStages } from './live.ts';
import type { Program } from './program.ts';

/* A pipe that takes tasks from a queue, in its own process group. */

export const STAGES = ['pull', 'exec', 'save', 'ack'] as const;
export type Stage = (typeof STAGES)[number];

/** Maximum number of tasks of a machine. */
export const WINDOW = 30;
/** Time that a silent machine keeps its tasks, in milliseconds. */
export const LEASE = 2000;

/** Options of the start of a machine. */
export interface MachineOptions {
  /** The server as the machine sees it. Default: as the test sees it. */
  readonly url?: string;
  /** True if it ends when no task is left. Default: it waits for more. */
  readonly untilEmpty?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** A machine that runs. */
export interface Machine extends Stages {
  readonly name: string;
}

/**
 * Starts a machine in a folder that has `work.mjs`. Its output is `NAME.csv`.
 * @param exec more options of task-exec
 */
export function startMachine(
  program: Program,
  cwd: string,
  name: string,
  {
    url,
    queue,
    exec,
    lease,
    untilEmpty = false,
    env = {},
  }: MachineOptions & {
    readonly url: string;
    readonly queue: string;
    readonly exec: string;
    readonly lease: number;
  },
): Machine {
  const at = `${url} --name ${queue} --worker ${name} --quiet`;
  const pull = `task-queue pull ${at} --window ${WINDOW} --lease ${lease}ms`;
  const stages = new Map<Stage, string>([
    ['pull', untilEmpty ? `${pull} --until-empty` : pull],
    ['exec', `env MACHINE=${name} task-exec --module work.mjs -j 4 --quiet ${exec}`],
    ['save', `task-save ${name}.csv --fields uuid,result --tee --flush-interval 50ms --quiet`],
    ['ack', `task-queue ack ${at}`],
  ]);
  return { ...startStages({ ...program, env: { ...program.env, ...env } }, cwd, stages), name };
}

/** Returns whether a machine has a process. */
export function isAlive({ group }: Machine): boolean {
  try {
    return process.kill(-group, 0);
  } catch {
    return false;
  }
}

/**
 * Kills a machine, or one of its processes.
 * @returns false if it had ended
 */
export function kill(machine: Machine, pid?: number): boolean {
  if (!isAlive(machine) || (pid !== undefined && !isOf(machine.group, pid))) return false;
  process.kill(pid ?? -machine.group, 'SIGKILL');
  return true;
}

/** Waits for the end of a pipe of which a stage, or all, was killed, and checks the exit codes of the others. */
export async function endsAfterKill(
  { name, group, end }: Machine,
  victim: string,
  notes: Notes,
): Promise<void> {
  const label = `${name}, ${victim} killed`;
  const { codes, stderr } = await endOf(group, end, (who) => notes.add('hang', `${label}: ${who}`));
  const at = STAGES.indexOf(victim as Stage);
  for (const [i, stage] of STAGES.entries()) {
    const code = codes.get(stage); // none if the shell was killed
    // Stages before it lose their reader. Those behind it end, and may have read half a line.
    const right = i === at ? [137] : i < at ? [0, 141] : [0, 1];
    if (code !== undefined && !right.includes(code))
      notes.add('exit code', `${label}: ${stage} ended with ${code}: ${stderr.slice(-500)}`);
  }
}
