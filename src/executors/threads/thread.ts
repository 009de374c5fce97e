import { parentPort, workerData } from 'node:worker_threads';
import { messageOf, TaskpipeError } from '../../core/errors.ts';
import { Task } from '../../core/task.ts';
import type { Outcome } from '../executor.ts';
import type { OpenWork } from '../module/open.ts';
import type { FromThread, Order, Settled, ThreadWork, ToThread } from './messages.ts';

/*
 * A thread of `--threads`: it makes the attempts that it is sent, and tells what came of them, together what settled
 * in one turn.
 */

const giveUp = new AbortController();
const stage = {
  stop: (): void => tell({ kind: 'stop' }),
  done: (uuid: string): void => tell({ kind: 'done', uuid }),
};
let settled: Settled[] = [];

function tell(message: FromThread): void {
  parentPort?.postMessage(message);
}

function settle(id: number, { children, ...outcome }: Outcome): void {
  if (settled.length === 0) setImmediate(flush);
  const plain = children?.map(({ task: { uuid, line }, front, again }) => ({ uuid, line, front, again }));
  settled.push({ id, outcome, children: plain });
}

function flush(): void {
  tell({ kind: 'settled', settled });
  settled = [];
}

function fail(error: unknown): void {
  const code = error instanceof TaskpipeError ? error.code : undefined;
  tell({ kind: 'failed', code, message: messageOf(error) });
}

function make(work: OpenWork, { id, uuid, line, number }: Order): void {
  try {
    const outcome = work.attempt(new Task(uuid, line), { number, signal: giveUp.signal, stage });
    if (outcome instanceof Promise) outcome.then((value) => settle(id, value)).catch(fail);
    else settle(id, outcome);
  } catch (error) {
    fail(error);
  }
}

async function open({ kind, options }: ThreadWork): Promise<OpenWork> {
  if (kind === 'http') return (await import('../http/index.ts')).http(options);
  const { openWork } = await import('../module/open.ts');
  return openWork(options, (line) => tell({ kind: 'show', line }));
}

async function main(): Promise<void> {
  const work = await open(workerData as ThreadWork);
  parentPort?.on('message', (message: ToThread) => {
    if (message === 'give up') giveUp.abort();
    else if (message === 'close') void work.close().then(() => parentPort?.close());
    else for (const order of message) make(work, order);
  });
  tell({ kind: 'ready' });
}

main().catch(fail);
