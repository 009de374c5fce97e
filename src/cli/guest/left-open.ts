import { stuckThreads } from '../../core/base/stuck-threads.ts';

/** Time to wait for a process to exit after its work, in milliseconds. */
const PATIENCE = 300;

/** Kinds of open resources by their names in Node, with their plural. */
const KINDS: Readonly<Record<string, readonly [one: string, many: string]>> = {
  Timeout: ['timer', 'timers'],
  Immediate: ['immediate', 'immediates'],
  TCPSocketWrap: ['socket', 'sockets'],
  TLSWrap: ['TLS socket', 'TLS sockets'],
  TCPServerWrap: ['server', 'servers'],
  PipeServerWrap: ['server', 'servers'],
  UDPWrap: ['UDP socket', 'UDP sockets'],
  ProcessWrap: ['child process', 'child processes'],
  MessagePort: ['thread or message port', 'threads or message ports'],
  FSEventWrap: ['file watcher', 'file watchers'],
  StatWatcher: ['file watcher', 'file watchers'],
  FSReqCallback: ['file operation', 'file operations'],
  FSReqPromise: ['file operation', 'file operations'],
  GetAddrInfoReqWrap: ['DNS lookup', 'DNS lookups'],
};

/** Kinds that the stage itself has open: its standard streams. */
const OURS: readonly string[] = ['PipeWrap', 'TTYWrap'];

/**
 * Ends the process with its exit code if user code keeps it alive after its work, and reports the open resources.
 * @param say writes a line to stderr
 * @param signal that stopped the stage
 */
export function endSoon(say: (message: string) => void, signal: NodeJS.Signals | undefined): void {
  const timer = setTimeout(() => {
    if (stuckThreads.count > 0) {
      endStuck(say, signal);
      return;
    }
    const open = leftOpen(process.getActiveResourcesInfo());
    if (open !== '') say(`the module or flow left open: ${open}; the stage ends without waiting for it`);
    process.exit();
  }, PATIENCE);
  if (stuckThreads.count === 0) timer.unref();
}

/** Ends a process that cannot exit, because it would wait for its threads. */
function endStuck(say: (message: string) => void, signal: NodeJS.Signals | undefined): void {
  say(
    'killed after its last record: the module blocks a thread in a system call, such as reading a FIFO, that cannot be ended',
  );
  if (signal !== undefined) process.removeAllListeners(signal); // the signal then ends the process
  process.kill(process.pid, signal ?? 'SIGKILL');
}

/** Returns the resources that keep the process alive in words, as in `1 timer, 2 sockets`. */
function leftOpen(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) if (!OURS.includes(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
  return [...counts]
    .map(([name, count]) => {
      const [one, many] = KINDS[name] ?? [name, name];
      return `${count} ${count === 1 ? one : many}`;
    })
    .join(', ');
}
