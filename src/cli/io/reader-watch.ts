import { type ChildProcess, spawn } from 'node:child_process';
import { descriptors } from '../../core/base/descriptors.ts';

/** Time without a write after which the reader is watched, in milliseconds. */
const IDLE = 1000;

/** Watch over the reader of standard output, a pipe. */
export interface ReaderWatch {
  /** Postpones the watch: a write would have noticed a missing reader. */
  wrote(): void;
  end(): void;
}

/**
 * Notices that the reader of our pipe left while nothing is written. Only poll(2) reports that, and Node does not
 * offer it. GNU tail polls its output (from coreutils 8.28 on) and ends by SIGPIPE, so an idle stage starts one.
 * Without such a tail the next write notices.
 */
export function watchReader(gone: () => void): ReaderWatch {
  let child: ChildProcess | undefined;
  const timer = setTimeout(() => {
    child = spawnTail();
    child.on('exit', (_, signal) => signal === 'SIGPIPE' && gone());
    child.on('error', () => {});
    child.unref();
  }, IDLE).unref();
  return {
    wrote() {
      if (child === undefined) timer.refresh();
    },
    end() {
      clearTimeout(timer);
      child?.kill();
    },
  };
}

/**
 * Starts tail with our output as descriptor 3; a shell makes that its standard output. libuv would make a
 * descriptor passed as 0, 1 or 2 blocking, for this process too. tail also ends with this process, however that
 * ends.
 */
function spawnTail(): ChildProcess {
  const command = `exec tail -f --pid=${process.pid} /dev/null >&3 3>&-`;
  return spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 'ignore', 'ignore', descriptors.output] });
}
