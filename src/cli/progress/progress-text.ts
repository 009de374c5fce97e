import { messageOf } from '../../core/base/errors.ts';
import type { Progress, Total } from '../../core/base/progress.ts';
import type { Io } from '../../core/options/command.ts';
import type { Terminal } from '../io/terminal.ts';
import { lineOf, type View, wordsOf } from './progress-line.ts';
import { Speedometer } from './speedometer.ts';

/** How progress is shown: by a line that is drawn, by lines in words, or not at all. */
export const PROGRESS_MODES = ['auto', 'plain', 'none'] as const;
export type ProgressMode = (typeof PROGRESS_MODES)[number];

/** How often the line is drawn, in milliseconds. */
const OFTEN = 200;
/** What is over sooner than this draws none. */
const SOON = 500;
/** How often a line is said, with `plain`. */
const PLAIN = 10_000;

export interface ShownProgressOptions {
  /** The stage. */
  readonly name: string;
  readonly mode: ProgressMode;
  /** Where a line can be drawn; undefined where none is to be. */
  readonly terminal: Terminal | undefined;
  /** A line for people. */
  readonly say: (message: string) => void;
}

/** The progress of a stage, as it is shown. */
export interface ShownProgress {
  readonly show: Io['progress'];
  /** Takes the line away. None is drawn any more. */
  end(): void;
}

/** Shows progress, once it is told of some. Its timer does not keep the process alive. */
export function openProgress({ name, mode, terminal, say }: ShownProgressOptions): ShownProgress {
  const ended = new AbortController();
  const { signal } = ended;
  const show = (read: () => Progress, total?: Total): void => {
    const present = presenterOf(name, mode, terminal, say);
    if (present === undefined || signal.aborted) return;
    const started = performance.now();
    const speedometer = new Speedometer(started, read().through);
    let known = typeof total === 'number' ? total : undefined;
    let find = typeof total === 'function' ? total : undefined;
    const look = (): void => {
      const now = performance.now();
      const progress = read();
      const speed = speedometer.look(now, progress.through);
      if (now - started < SOON) return;
      find?.(signal).then(
        (count) => {
          known = count;
        },
        (error) => signal.aborted || say(`--total: ${messageOf(error)}`),
      );
      find = undefined;
      present({ progress, speed, total: known });
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

/** What shows a moment of a stage; undefined where nothing does. */
function presenterOf(
  name: string,
  mode: ProgressMode,
  terminal: Terminal | undefined,
  say: (message: string) => void,
): ((view: View) => void) | undefined {
  if (mode === 'plain') return inWords(say);
  if (mode === 'none' || terminal === undefined) return undefined;
  return (view) => {
    const { columns, hasColours } = terminal;
    // Not to the last column: the cursor would hang over the edge.
    terminal.draw(lineOf(name, view, { columns: columns - 1, colours: hasColours }));
  };
}

function inWords(say: (message: string) => void): (view: View) => void {
  let next = performance.now() + PLAIN;
  return (view) => {
    if (performance.now() < next) return;
    next += PLAIN;
    say(wordsOf(view));
  };
}
