/*
 * Shell that outlives a killed stage, kills the running programs and deletes the folder. It waits for the end of its
 * input, which the kernel closes in any case when the stage ends.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** The last complete line of the input has the process groups. */
const SCRIPT = `trap '' HUP INT TERM
while read -r line; do groups=$line; done
running() { for group in $groups; do kill -s 0 -- $group && return; done; return 1; }
left=$2
while [ $left -gt 0 ] && running; do sleep 1; left=$((left - 1)); done
kill -s KILL -- $groups
[ -z "$1" ] || rm -rf "$1"`;

export interface OrphanKiller {
  /** Replaces the process groups to kill. */
  watch(groups: readonly number[]): void;
  /** Ends the guard, which then deletes the folder. */
  close(): Promise<void>;
}

export interface OrphanKillerOptions {
  /** POSIX shell. Default: `/bin/sh`. */
  readonly shell?: string;
  /** Folder that is deleted at the end in any case. */
  readonly folder?: string;
  /** Time to wait for the programs to end before they are killed, in milliseconds. Default 0. */
  readonly grace?: number;
}

export function openOrphanKiller(options: OrphanKillerOptions = {}): OrphanKiller {
  const { shell = '/bin/sh', folder = '', grace = 0 } = options;
  let line = '\n';
  let isOver = false;
  let child: ChildProcess;
  const seconds = String(Math.ceil(grace / 1000));
  const open = (): void => {
    const since = performance.now();
    child = spawn(shell, ['-c', SCRIPT, 'task-exec-guard', folder, seconds], {
      argv0: 'sh',
      cwd: '/',
      detached: true, // out of reach of Ctrl-C
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.stdin?.on('error', () => {}).write(line);
    child.on('error', () => {});
    // Another process killed the guard. A guard that dies immediately is not restarted, to avoid an endless loop.
    child.on('exit', () => !isOver && performance.now() - since > 1000 && open());
  };
  open();
  return {
    watch(groups) {
      line = `${groups.map((group) => -group).join(' ')}\n`;
      child.stdin?.write(line);
    },
    async close() {
      isOver = true;
      if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      child.stdin?.end('\n');
      await once(child, 'exit');
    },
  };
}
