import { readFileSync } from 'node:fs';
import type { Screen } from '../../core/options/command.ts';

/** Terminal on stderr. Its last lines may be a progress line or a table, which can be replaced. */
export interface Terminal extends Screen {
  readonly hasColours: boolean;
  /** Removes the drawn lines. */
  erase(): void;
  /** Calls `listener` when the width changes. Returns a function that ends this. */
  onResize(listener: () => void): () => void;
}

/**
 * Escape sequence: carriage return, then erase to the end of the screen, which also removes a line that wrapped
 * when the terminal became narrower. The cursor rests at the left of the progress line, so that any process can
 * erase it.
 */
const ERASE_LINE = '\r\x1b[J';

/**
 * Opens the terminal; undefined if stderr is not one, or cannot erase. From then on all writes of this process
 * to stderr first erase the progress line, even if another stage drew it.
 */
export function openTerminal(): Terminal | undefined {
  const { stderr, env } = process;
  if (!stderr.isTTY || env.TERM === undefined || env.TERM === '' || env.TERM === 'dumb') return undefined;
  let isDrawn = false;
  /** True while the rest of an incomplete line is still to come. */
  let isOpen = false;
  const write = stderr.write.bind(stderr) as (chunk: string | Uint8Array, ...rest: unknown[]) => boolean;
  stderr.write = ((chunk: string | Uint8Array, ...rest: unknown[]): boolean => {
    // In one call, because another stage could draw between two.
    const whole = isOpen || chunk.length === 0 ? chunk : withErasing(chunk);
    if (chunk.length > 0) isOpen = !endsLine(chunk);
    isDrawn = false;
    return write(whole, ...rest);
  }) as typeof stderr.write;
  const erase = (): void => {
    if (isDrawn) write(ERASE_LINE);
    isDrawn = false;
  };
  process.on('uncaughtExceptionMonitor', erase); // Node prints that error without going through this function
  return {
    get columns() {
      return stderr.columns || 80; // 0 if the terminal has no size
    },
    get rows() {
      return stderr.rows || 24;
    },
    get hasColours() {
      return stderr.hasColors(); // respects NO_COLOR
    },
    draw(lines) {
      if (isOpen || !isInForeground()) return;
      const breaks = lines.split('\n').length - 1;
      const up = breaks > 0 ? `\x1b[${breaks}A` : '';
      write(`\r${lines.replaceAll('\n', '\x1b[K\n')}\x1b[J${up}\r`);
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

/** Returns whether this is not a background job, which would draw over the input of the user. True if unknown. */
function isInForeground(): boolean {
  try {
    // Fields after the name, which may contain anything: state, parent, group, session, terminal, foreground
    // group (proc_pid_stat(5)).
    const [, , group, , , foreground] = readFileSync('/proc/self/stat', 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return foreground === group || foreground === '-1';
  } catch {
    return true;
  }
}
