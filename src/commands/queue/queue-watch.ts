import { setTimeout as sleep } from 'node:timers/promises';
import { number } from '../../core/base/format.ts';
import { escapeControls } from '../../core/base/terminal-text.ts';
import type { Io } from '../../core/options/command.ts';
import { timestamp } from '../../core/record/task.ts';
import { durationWords } from '../../reports/index.ts';
import { type QueueLook, QueueWatch } from '../../stages/queue/queue-look.ts';
import type { VerbContext } from './contract.ts';

/** Maximum number of workers, or of causes, that a line names. */
const NAMED = 8;

/** Shows the queues until a signal, or until they are empty: as JSON, as a table on a terminal, or as lines. */
export async function watch({ queues, values, io }: VerbContext): Promise<0> {
  io.begun();
  const watches = queues.map((queue) => new QueueWatch(queue));
  const stopping = AbortSignal.any([io.stopping, io.aborting]);
  let shown: readonly string[] = [];
  while (!stopping.aborted) {
    const looks = await unlessAborted(Promise.all(watches.map((one) => one.look())), stopping);
    if (looks === undefined) break;
    if (values.json) await io.write(looks.map(jsonOf).join(''));
    else shown = show(looks, io);
    if (values.untilEmpty && looks.every(({ waiting, delayed, active }) => waiting + delayed + active === 0))
      break;
    await sleep(values.interval, undefined, { signal: stopping }).catch(() => {});
  }
  for (const line of shown) io.print(line); // the last table stays on the terminal
  return 0;
}

/** Waits for work; returns undefined if the signal comes first, for example while Redis is unavailable. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const stop = (): void => resolve(undefined);
    signal.addEventListener('abort', stop, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

function jsonOf(look: QueueLook): string {
  return `${JSON.stringify({ at: timestamp(Date.now()), ...look })}\n`;
}

/** Draws a table on a terminal, else writes a line for each queue. Returns the lines of the table. */
function show(looks: readonly QueueLook[], { screen, info }: Io): readonly string[] {
  if (screen === undefined) {
    for (const look of looks) info(lineOf(look));
    return [];
  }
  // The last column and row stay free, so that nothing wraps or scrolls.
  const clean = (line: string): string => escapeControls(line).replace(/\s/g, ' ');
  const lines = looks.flatMap(tableOf).map((line) => clean(line).slice(0, screen.columns - 1));
  const most = Math.max(1, screen.rows - 1);
  const fitting = lines.length > most ? [...lines.slice(0, most - 1), '…'] : lines;
  screen.draw(fitting.join('\n'));
  return fitting;
}

/**
 * Returns a snapshot as one line: `crawl: 1,234 waiting, 20 active (m1 20), 300 done per minute, 4 min 10 s
 * left`.
 */
export function lineOf(look: QueueLook): string {
  const { name, waiting, active, delayed, dead, finished, paused } = look;
  const parts = [`${number(waiting)} waiting`, `${number(active)} active${bracketed(workersOf(look))}`];
  if (paused) parts.unshift('paused');
  if (delayed > 0) parts.push(`${number(delayed)} delayed`);
  if (dead > 0) parts.push(`${number(dead)} dead${bracketed(causesOf(look))}`);
  parts.push(`${number(finished)} finished`, ...speedOf(look));
  return `${name}: ${parts.join(', ')}`;
}

/** Returns a snapshot as the rows of a table. */
function tableOf(look: QueueLook): string[] {
  const { name, waiting, active, delayed, dead, finished, paused } = look;
  const row = (label: string, count: number, more = ''): string =>
    `  ${label.padEnd(8)} ${number(count).padStart(12)}  ${more}`.trimEnd();
  return [
    paused ? `${name}, paused` : name,
    row('waiting', waiting),
    row('delayed', delayed),
    row('active', active, workersOf(look)),
    row('dead', dead, causesOf(look)),
    row('finished', finished, speedOf(look).join(', ')),
  ];
}

function workersOf({ workers }: QueueLook): string {
  return listed(workers.map(({ worker, out }) => [worker, out]));
}

function causesOf({ deadByCause }: QueueLook): string {
  return listed(Object.entries(deadByCause));
}

function listed(pairs: readonly (readonly [string, number])[]): string {
  const named = pairs.slice(0, NAMED).map(([name, count]) => `${name} ${number(count)}`);
  if (pairs.length > NAMED) named.push(`${pairs.length - NAMED} more`);
  return named.join(', ');
}

function bracketed(words: string): string {
  return words === '' ? '' : ` (${words})`;
}

function speedOf({ donePerMinute, secondsLeft, waiting, active, delayed }: QueueLook): string[] {
  if (donePerMinute === null) return [];
  const left =
    waiting + active + delayed > 0 && secondsLeft !== null
      ? [`${durationWords(secondsLeft * 1000)} left`]
      : [];
  return [`${number(Math.round(donePerMinute))} done per minute`, ...left];
}
