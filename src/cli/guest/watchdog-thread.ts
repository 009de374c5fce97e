import { writeSync } from 'node:fs';
import { constants } from 'node:os';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { callRescue, unfinishedWords } from './rescue.ts';
import type { FromWatchdog, ToWatchdog, WatchdogData } from './watchdog.ts';

/* Thread of the watchdog: see `openWatchdog`. */

/** Time that the main thread has to answer, in milliseconds. */
const ANSWER = 400;
/** The same, after the second signal. */
const AGAIN = 250;
/** The same after the grace, when unfinished tasks are passed on, in milliseconds. */
const LATER = 1000;
/** Time after the second signal in which the process must end, in milliseconds. */
const LEAVING = 950;
/** Time that a blocked main thread has to write the unfinished records, in milliseconds. */
const RESCUE = 1500;
/** Time after the last record in which the process must end, in milliseconds. */
const ENDING = 1500;

/** Handle of a signal inside Node. `process.on` hears signals on the main thread only. */
interface SignalHandle {
  onsignal: () => void;
  unref(): void;
  start(signal: number): number;
}

const { name, grace, signals } = workerData as WatchdogData;
const port = parentPort as MessagePort;
let answered = 0;
let count = 0;
let isRescuing = false;

function tell(message: FromWatchdog): void {
  port.postMessage(message);
}

function say(words: string): void {
  try {
    writeSync(2, `${name}: ${words}\n`);
  } catch {} // stderr is closed
}

function kill(words: string): void {
  say(words);
  process.kill(process.pid, 'SIGKILL'); // SIGKILL: the process may have listeners for all other signals
}

/** Makes the main thread write the unfinished records, and kills the process. */
function rescue(why: string, patience: number): void {
  if (isRescuing) return;
  isRescuing = true;
  callRescue(patience, (unfinished) => kill(`killed: ${why}; ${unfinishedWords(unfinished)}`));
}

/** Calls a function if the main thread does not answer, and another if it does. */
function ifBlocked(then: () => void, patience = ANSWER, otherwise?: () => void): void {
  const asked = performance.now();
  tell('ask');
  setTimeout(() => (answered >= asked ? otherwise?.() : then()), patience);
}

/**
 * Asks until the main thread does not answer: user code can block it at any time, for example in a listener of
 * `ctx.signal`.
 */
function untilBlocked(then: () => void, patience: number, next = patience): void {
  ifBlocked(then, patience, () => untilBlocked(then, next));
}

function heard(name: NodeJS.Signals): void {
  count++;
  tell({ signal: name, count });
  if (count === 1) {
    ifBlocked(() =>
      say('the module or flow does not return to the event loop; a second signal ends the stage at once'),
    );
    setTimeout(
      () =>
        untilBlocked(
          () => rescue('the module or flow blocked the stage for longer than --grace', RESCUE),
          ANSWER,
          LATER,
        ),
      grace,
    );
  } else if (count === 2) {
    const end = performance.now() + LEAVING;
    untilBlocked(
      () => rescue('the module or flow blocked the stage at the second signal', end - performance.now()),
      AGAIN,
    );
    setTimeout(() => kill('killed: the stage did not end at the second signal'), LEAVING);
  }
}

port.on('message', (message: ToWatchdog) => {
  if (message === 'alive') answered = performance.now();
  else if (message !== 'ending') setTimeout(() => count === 0 && heard(message.stopping), ANSWER);
  else setTimeout(() => kill('killed: the module or flow blocked the end of the stage'), ENDING);
});

process.noDeprecation = true; // `process.binding` has no successor for this
const { Signal } = (
  process as unknown as { binding(name: string): { Signal: new () => SignalHandle } }
).binding('signal_wrap');
for (const signal of signals) {
  const handle = new Signal();
  handle.onsignal = () => heard(signal);
  handle.unref();
  handle.start(constants.signals[signal]);
}
tell('ready');
