import { readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf, TaskpipeError } from '../../../core/base/errors.ts';
import { steadyNow } from '../../../core/base/steady-clock.ts';
import { Task } from '../../../core/record/task.ts';
import type { Outcome } from '../../contract.ts';
import { type OpenWork, openWork } from '../open-module.ts';
import { batchMessages } from './message-batcher.ts';
import type { FromThread, Orders, Results, SettledMessage, ThreadData, ToThread } from './messages.ts';

/* Thread of `--threads`: makes the attempts that it is sent, and returns their outcomes. */

const { module, current } = workerData as ThreadData;
const giveUp = new AbortController();
const stage = {
  stop: (): void => tell({ kind: 'stop' }),
  done: (uuid: string): void => tell({ kind: 'done', uuid }),
};
let done: Results = { ids: [], results: [] };
let others: SettledMessage[] = [];
/** Number of attempts whose outcome was not sent yet. */
let underway = 0;
const settledOne = batchMessages(flush, () => underway);

function tell(message: FromThread): void {
  parentPort?.postMessage(message);
}

function settle(id: number, settled: Outcome): void {
  settledOne();
  if (isPlain(settled)) {
    done.ids.push(id);
    done.results.push(settled.result);
    return;
  }
  const { children, ...outcome } = settled;
  const plain = children?.map(({ task: { uuid, line }, front, again }) => ({ uuid, line, front, again }));
  others.push({ id, outcome, children: plain });
}

/** Returns whether an outcome is only a result. */
function isPlain(outcome: Outcome): boolean {
  for (const name in outcome) if (name !== 'result') return false;
  return true;
}

function flush(): void {
  underway -= done.ids.length + others.length;
  tell({ kind: 'settled', done, others });
  done = { ids: [], results: [] };
  others = [];
}

function fail(error: unknown): void {
  const code = error instanceof TaskpipeError ? error.code : undefined;
  tell({ kind: 'failed', code, message: messageOf(error) });
}

function makeAll(work: OpenWork, { first, uuids, lines, numbers }: Orders): void {
  underway += uuids.length;
  for (const [i, uuid] of uuids.entries())
    make(work, first + i, new Task(uuid, lines[i] as string), numbers[i] as number);
}

function make(work: OpenWork, id: number, task: Task, number: number): void {
  current[1] = steadyNow();
  current[0] = id;
  try {
    const outcome = work.attempt(task, { number, signal: giveUp.signal, stage });
    current[0] = -1;
    if (outcome instanceof Promise) outcome.then((value) => settle(id, value)).catch(fail);
    else settle(id, outcome);
  } catch (error) {
    fail(error);
  }
}

async function main(): Promise<void> {
  const work = await openWork(module, (line) => tell({ kind: 'show', line }));
  parentPort?.on('message', (message: ToThread) => {
    if (message === 'give up') giveUp.abort();
    else if (message === 'close') void work.close().then(() => parentPort?.close());
    else makeAll(work, message);
  });
  tell({ kind: 'ready', thread: ownNumber() });
}

/** Returns the number of this thread in the system. */
function ownNumber(): number | undefined {
  try {
    return Number(basename(readlinkSync('/proc/thread-self')));
  } catch {
    return undefined; // no /proc
  }
}

main().catch(fail);
