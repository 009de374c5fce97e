import { type ChildProcess, spawn } from 'node:child_process';

/** How long nothing must have been written for the reader to be looked after, in milliseconds. */
const IDLE = 1000;

/** Looks after the reader of the standard output, a pipe. */
export interface ReaderWatch {
  /** Something was written, which tells as well. */
  wrote(): void;
  end(): void;
}

/**
 * Finds out that the reader of our pipe left while we write nothing. Only poll(2) tells that, which Node has no call
 * for; but GNU tail polls its output (coreutils 8.28 on), and ends by SIGPIPE. So a stage that is idle has one
 * watch. Where there is no such tail, the next write tells.
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
 * It gets our output as its descriptor 3, and makes it its own standard output by way of a shell: libuv makes what it
 * hands on as 0, 1 or 2 blocking, which would make ours so too. It also ends when we do, however that is.
 */
function spawnTail(): ChildProcess {
  const command = `exec tail -f --pid=${process.pid} /dev/null >&3 3>&-`;
  return spawn('/bin/sh', ['-c', command], { stdio: ['ignore', 'ignore', 'ignore', 1] });
}
