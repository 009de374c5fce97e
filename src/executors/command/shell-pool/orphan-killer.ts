/*
 * A shell that outlives a stage that was killed, and then kills what runs and takes the folder away. It waits for the
 * end of its input, which is that of the stage, however it came.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

/** The last whole line that it is told has the groups. */
const SCRIPT = `trap '' HUP INT TERM
while read -r line; do groups=$line; done
kill -s KILL -- $groups
rm -rf "$1"`;

export interface Guard {
  /** From now on these process groups are to be killed. */
  watch(groups: readonly number[]): void;
  /** It has nothing to guard any more, but for the folder. */
  close(): Promise<void>;
}

/** @param folder what it takes away, also in the end */
export function openGuard(shell: string, folder: string): Guard {
  let line = '\n';
  let isOver = false;
  let child: ChildProcess;
  const open = (): void => {
    const since = performance.now();
    child = spawn(shell, ['-c', SCRIPT, 'task-exec-guard', folder], {
      argv0: 'sh',
      cwd: '/',
      detached: true, // so that Ctrl-C does not reach it
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    child.stdin?.on('error', () => {}).write(line);
    child.on('error', () => {});
    // Somebody killed it. One that can't live is not tried for ever.
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
