import { isUtf8 } from 'node:buffer';
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { messageOf, systemCode } from '../../core/errors.ts';
import { MERCY, signalGroup } from '../process/group.ts';
import type { Order, Output, Report, Setup } from './protocol.ts';

/** A command under way. */
export interface Launched {
  /** Kills it at once, with all that it started. */
  kill(): void;
}

/**
 * Starts one command, in a process group of its own. It is over when it has ended and its outputs are closed: what
 * it leaves running with them still writes to them.
 * @param done is called once
 */
export function launch(order: Order, setup: Setup, done: (report: Report) => void): Launched | undefined {
  const [argv0 = order.file, ...args] = order.words;
  let child: ChildProcessWithoutNullStreams;
  try {
    child = spawn(order.file, args, {
      argv0,
      cwd: setup.cwd,
      env: { ...setup.env, ...order.env },
      detached: true,
      stdio: 'pipe',
    });
  } catch (error) {
    done(notStarted(order.id, error)); // NUL in a word, or too long a word
    return undefined;
  }
  if (child.stdin === undefined) {
    // Too many open files: Node gives it no streams, which its types do not know.
    child.on('error', (error) => done(notStarted(order.id, error)));
    return undefined;
  }
  return watch(child, order, setup.maxOutput, done);
}

function watch(
  child: ChildProcessWithoutNullStreams,
  { id, input, timeout }: Order,
  maxOutput: number,
  done: (report: Report) => void,
): Launched {
  let killed: Report['killed'];
  let last: NodeJS.Timeout | undefined;
  const kill = (): void => {
    signalGroup(child.pid, 'SIGKILL');
    // What has left the group may still hold them.
    child.stdout.destroy();
    child.stderr.destroy();
  };
  const timer = setTimeout(() => {
    killed ??= 'timeout';
    signalGroup(child.pid, 'SIGTERM');
    last = setTimeout(kill, MERCY);
  }, timeout);
  const { stdout, stderr } = collect(child, maxOutput, () => {
    killed ??= 'output';
    kill();
  });
  child.stdin.on('error', () => {}); // it need not read it
  child.stdin.end(input);
  child.on('exit', () => child.stdin.destroy());
  const end = (report: Report): void => {
    clearTimeout(timer);
    clearTimeout(last);
    done(report);
  };
  child.on('error', (error) => child.pid === undefined && end(notStarted(id, error)));
  child.on('close', (exit, signal) => {
    if (child.pid === undefined) return;
    if (killed !== undefined) signalGroup(child.pid, 'SIGKILL'); // its children had their time, too
    const report = { id, exit, signal, stdout: outputOf(stdout), stderr: outputOf(stderr) };
    end(killed === undefined ? report : { ...report, killed });
  });
  return { kill };
}

/** Keeps what a command writes, up to a number of bytes; then `over` is called. */
function collect(
  child: ChildProcessWithoutNullStreams,
  maxOutput: number,
  over: () => void,
): Readonly<Record<'stdout' | 'stderr', readonly Buffer[]>> {
  const chunks = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
  let bytes = 0;
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxOutput) chunks[name].push(chunk);
      else over();
    });
  }
  return chunks;
}

const NOTHING: Output = { text: '' };

function notStarted(id: number, error: unknown): Report {
  const fault = systemCode(error) ?? messageOf(error);
  return { id, exit: null, signal: null, stdout: NOTHING, stderr: NOTHING, fault };
}

function outputOf(chunks: readonly Buffer[]): Output {
  const [only] = chunks;
  if (only === undefined) return NOTHING;
  const bytes = chunks.length === 1 ? only : Buffer.concat(chunks);
  return isUtf8(bytes) ? { text: bytes.toString() } : { base64: bytes.toString('base64') };
}
