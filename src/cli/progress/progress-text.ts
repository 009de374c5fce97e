import { messageOf } from '../../core/base/errors.ts';
import type { Progress, Total } from '../../core/base/progress.ts';
import type { Io } from '../../core/options/command.ts';
import type { Terminal } from '../io/terminal.ts';
import { lineOf, type View, wordsOf } from './progress-line.ts';
import { Speedometer } from './speedometer.ts';

/** Ways to show progress: a line that is redrawn, lines in a log, or nothing. */
export const PROGRESS_MODES = ['auto', 'plain', 'none'] as const;
export type ProgressMode = (typeof PROGRESS_MODES)[number];

/** Interval between drawings, in milliseconds. */
const OFTEN = 200;
/** Time before the first drawing, in milliseconds: short runs draw nothing. */
const SOON = 500;
/** Interval between lines of `plain`, in milliseconds. */
const PLAIN = 10_000;

export interface ShownProgressOptions {
  /** Name of the stage. */
  readonly name: string;
  readonly mode: ProgressMode;
  /** Undefined if progress is not drawn. */
  readonly terminal: Terminal | undefined;
  /** Writes a line to stderr. */
  readonly warn: (message: string) => void;
}

/** Progress of a stage on the terminal or in the log. */
export interface ShownProgress {
  readonly show: Io['progress'];
  /** Removes the line and draws no more. */
  end(): void;
}

/** Shows progress once a stage reports some. The timer does not keep the process alive. */
export function openProgress({ name, mode, terminal, warn }: ShownProgressOptions): ShownProgress {
  const ended = new AbortController();
  const { signal } = ended;
  const show = (read: () => Progress, total?: Total): void => {
    const present = presenterOf(name, mode, terminal, warn);
    if (present === undefined || signal.aborted) return;
    const started = performance.now();
    const speedometer = new Speedometer(started, read().through);
    const flowmeter = new Speedometer(started);
    let known = typeof total === 'number' ? total : undefined;
    let find = typeof total === 'function' ? total : undefined;
    const look = (): void => {
      const now = performance.now();
      const progress = read();
      const speed = speedometer.look(now, progress.through);
      const flow = progress.bytes ? flowmeter.look(now, progress.bytes) : undefined;
      if (now - started < SOON) return;
      find?.(signal).then(
        (count) => {
          known = count;
        },
        (error) => signal.aborted || warn(`--total: ${messageOf(error)}`),
      );
      find = undefined;
      present({ progress, speed, flow, total: known });
    };
    const timer = setInterval(look, OFTEN).unref();
    const forget = mode === 'plain' ? undefined : terminal?.onResize(look);
    signal.addEventListener('abort', () => {
      clearInterval(timer);
      forget?.();
      terminal?.erase();
    });
  };
  return { show, end: () => ended.abort() };
}

/** Returns the function that shows a moment of a stage; undefined if nothing is shown. */
function presenterOf(
  name: string,
  mode: ProgressMode,
  terminal: Terminal | undefined,
  warn: (message: string) => void,
): ((view: View) => void) | undefined {
  if (mode === 'plain') return inWords(warn);
  if (mode === 'none' || terminal === undefined) return undefined;
  return (view) => {
    const { columns, hasColours } = terminal;
    // The last column stays free: a cursor behind it would stand at the margin.
    terminal.draw(lineOf(name, view, { columns: columns - 1, colours: hasColours }));
  };
}

function inWords(warn: (message: string) => void): (view: View) => void {
  let next = performance.now() + PLAIN;
  return (view) => {
    if (performance.now() < next) return;
    next += PLAIN;
    warn(wordsOf(view));
  };
}
