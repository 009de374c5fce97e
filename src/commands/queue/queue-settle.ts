import { counted, number, textOf } from '../../core/base/format.ts';
import type { Progress } from '../../core/base/progress.ts';
import { flushed } from '../../core/text/rejects.ts';
import { noCounts, SETTLING } from '../../queues/contract.ts';
import type { Queue, SettleCounts } from '../../queues/index.ts';
import { namesOf } from '../../stages/queue/flight-watch.ts';
import { type JudgedLine, readJudged, settle } from '../../stages/queue/settle.ts';
import type { VerbContext } from './contract.ts';

type Judge = (batches: AsyncIterable<readonly JudgedLine[]>) => AsyncIterable<readonly JudgedLine[]>;

/**
 * Settles the tasks of the input, or those whose uuids are on the command line.
 * @param judge changes verdicts, for a verb that does not follow the state of the records
 * @returns the exit code
 */
export async function giveBack(
  { queues, values, io, uuids, rejects }: VerbContext,
  judge: Judge,
): Promise<0 | 1> {
  const counts = noCounts();
  const input =
    uuids.length > 0
      ? fromOperands(uuids)
      : readJudged(io.stdin(io.aborting), {
          source: 'stdin',
          reject: rejects.reject,
          truncated: io.truncated,
          maxLine: values.maxLine,
        });
  const options = { worker: values.worker ?? io.pipe, delay: values.delay, onlyKnown: true };
  io.progress(() => progressOf(counts));
  const telling = setInterval(() => {
    for (const queue of queues) queue.keepSettling(options.worker).catch(() => {}); // the next call reports it
  }, SETTLING);
  try {
    for await (const batch of settle(flushed(judge(input), rejects), queues, options, counts))
      if (values.tee) await io.write(textOf(batch));
    // This is the last stage of its pipe, and its input has ended: no more verdicts follow.
    if (uuids.length === 0) for (const queue of queues) await queue.endSettling(options.worker);
  } finally {
    clearInterval(telling);
    io.info(inWords(counts, rejects.count));
    if (counts.unknown > 0) io.warn(strangersInWords(counts, queues));
  }
  return counts.again + counts.dead + counts.unknown > 0 ? 1 : 0;
}

/** Returns the message about tasks that were not settled because no queue knows them. */
function strangersInWords({ unknown, strangers }: SettleCounts, queues: readonly Queue[]): string {
  const names = queues.map(({ name }) => name).join(', ');
  const some = unknown > strangers.length ? [...strangers, ''] : strangers;
  const [are, it] = unknown === 1 ? ['is', 'it'] : ['are', 'them'];
  return `${counted(unknown, 'task')} ${are} not in queue ${names}, and not finished there: ${namesOf(some)}; nothing was changed for ${it}. Give ack the --name of pull, or was the task removed meanwhile? (task-done mark marks tasks as finished)`;
}

function progressOf({ done, back, again, dead, gone, unknown }: SettleCounts): Progress {
  return {
    through: done + back + again + dead + gone + unknown,
    counts: [
      { count: done, words: 'done' },
      { count: again, words: 'failed', isFailure: true },
      { count: dead, words: 'dead', isFailure: true },
      { count: back, words: 'given back' },
      { count: gone, words: 'settled before' },
      { count: unknown, words: 'not in the queue', isFailure: true },
    ],
  };
}

async function* fromOperands(uuids: readonly string[]): AsyncGenerator<readonly JudgedLine[]> {
  yield uuids.map((uuid): JudgedLine => ({ uuid, kind: 'done', line: uuid }));
}

function inWords({ done, back, again, dead, gone }: SettleCounts, bad: number): string {
  const parts = [`${number(done)} done`];
  if (again > 0) parts.push(`${number(again)} failed, to be delivered again`);
  if (dead > 0) parts.push(`${number(dead)} failed for the last time (task-queue dead lists them)`);
  if (back > 0) parts.push(`${number(back)} back to the front`);
  if (gone > 0) parts.push(`${number(gone)} settled before, or with another worker`);
  if (bad > 0) parts.push(counted(bad, 'bad line'));
  return parts.join(', ');
}
