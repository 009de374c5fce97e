import { readFileSync } from 'node:fs';

/** The terminal on the standard error, with at most one line at its end that can be drawn over. */
export interface Terminal {
  /** How wide it is, as of now. */
  readonly columns: number;
  readonly hasColours: boolean;
  /** Puts a line in the place of the last one. It must be narrower than the terminal. */
  draw(line: string): void;
  /** Takes the line away. */
  erase(): void;
  /** Calls `listener` when the width changes. Returns what ends that. */
  onResize(listener: () => void): () => void;
}

/**
 * To the left, and nothing from there on: also of a line that the terminal has wrapped when it became narrower.
 * The cursor stays at the left of the line while it is shown, so that this finds it whoever writes it.
 */
const ERASE_LINE = '\r\x1b[J';

/**
 * The terminal; undefined where the standard error is none, or one that can't erase. From then on all that this
 * process writes to it takes the place of whatever line is there: that may be one which another stage has drawn.
 */
export function openTerminal(): Terminal | undefined {
  const { stderr, env } = process;
  if (!stderr.isTTY || env.TERM === undefined || env.TERM === '' || env.TERM === 'dumb') return undefined;
  let isDrawn = false;
  /** Whether somebody wrote a part of a line, and is to write the rest of it. */
  let isOpen = false;
  const write = stderr.write.bind(stderr) as (chunk: string | Uint8Array, ...rest: unknown[]) => boolean;
  stderr.write = ((chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    // In one call: another stage could draw between two.
    const whole = isOpen || chunk.length === 0 ? chunk : withErasing(chunk);
    if (chunk.length > 0) isOpen = !endsLine(chunk);
    isDrawn = false;
    return write(whole, ...rest);
  }) as typeof stderr.write;
  const erase = (): void => {
    if (isDrawn) write(ERASE_LINE);
    isDrawn = false;
  };
  process.on('uncaughtExceptionMonitor', erase); // what Node then prints goes past us
  return {
    get columns() {
      return stderr.columns || 80; // 0 where nobody told the terminal
    },
    get hasColours() {
      return stderr.hasColors(); // minds NO_COLOR
    },
    draw(line) {
      if (isOpen || !isInForeground()) return;
      write(`\r${line}\x1b[J\r`);
      isDrawn = true;
    },
    erase,
    onResize(listener) {
      stderr.on('resize', listener);
      return () => void stderr.off('resize', listener);
    },
  };
}

function withErasing(chunk: string | Uint8Array): string | Uint8Array {
  return typeof chunk === 'string' ? ERASE_LINE + chunk : Buffer.concat([Buffer.from(ERASE_LINE), chunk]);
}

function endsLine(chunk: string | Uint8Array): boolean {
  return typeof chunk === 'string' ? chunk.endsWith('\n') : chunk.at(-1) === 10;
}

/** Whether this is not a background job, which would draw over what is being typed. Yes, where nobody can tell. */
function isInForeground(): boolean {
  try {
    // After the name, which may hold anything: state, parent, group, session, terminal, its group (proc_pid_stat(5)).
    const [, , group, , , foreground] = readFileSync('/proc/self/stat', 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return foreground === group || foreground === '-1';
  } catch {
    return true;
  }
}
