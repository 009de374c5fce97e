import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import xterm from '@xterm/headless';
import { afterAll } from 'vitest';
import { environment, freshFolder, root } from './run.ts';

/** Shell that runs a command on a pseudo-terminal, with the screen that a person sees. */
export interface Session {
  /** All output to the terminal, unprocessed. */
  readonly raw: string;
  /** Returns the lines on the screen and above it as a person sees them, without trailing blanks. */
  lines(): string[];
  /** Returns the position of the cursor: the column from 0, and the line as in `lines()`. */
  cursor(): { column: number; line: number };
  /** Resolves when the screen matches. Rejects if the command ends before. */
  sees(words: RegExp): Promise<void>;
  /** Types keys; `\x03` is Ctrl-C. */
  type(keys: string): void;
  /** Resizes the terminal, in columns and rows. */
  resize(columns: number, rows: number): Promise<void>;
  /** Exit code, once the command has ended. */
  readonly ended: Promise<number | null>;
}

export interface SessionOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Width in columns. Default: 80. */
  readonly columns?: number;
}

const ROWS = 24;

const children: ChildProcess[] = [];
// Their terminals hang up, which ends the processes on them.
afterAll(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

/** Starts a command by a shell, in the foreground of its own terminal. Its processes are killed after the tests. */
export function onTerminal(command: string, options: SessionOptions = {}): Session {
  const { columns = 80, cwd = freshFolder(), env } = options;
  const screen = new xterm.Terminal({ cols: columns, rows: ROWS, allowProposedApi: true, convertEol: false });
  const child = spawn(
    'python3',
    [join(root, 'test/support/on-terminal.py'), `${columns}`, `${ROWS}`, 'bash', '-c', command],
    { cwd, env: environment({ TERM: 'xterm-256color', ...env }), stdio: ['pipe', 'pipe', 'inherit'] },
  );
  child.stdin.on('error', () => {}); // it may have ended
  children.push(child);
  let raw = '';
  let hasEnded = false;
  const watchers = new Set<() => void>();
  const notify = (): void => {
    for (const watcher of [...watchers]) watcher();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    raw += text;
    screen.write(text, notify);
  });
  const ended = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      screen.write('', () => {
        hasEnded = true;
        notify();
        resolve(code);
      });
    });
  });
  const lines = (): string[] => {
    const { active } = screen.buffer;
    const all = Array.from(
      { length: active.length },
      (_, i) => active.getLine(i)?.translateToString(true) ?? '',
    );
    return all.slice(0, all.findLastIndex((line) => line !== '') + 1);
  };
  return {
    get raw() {
      return raw;
    },
    lines,
    cursor: () => {
      const { active } = screen.buffer;
      return { column: active.cursorX, line: active.baseY + active.cursorY };
    },
    sees: (words) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          if (words.test(lines().join('\n'))) resolve();
          else if (hasEnded) reject(new Error(`ended without showing ${words}:\n${JSON.stringify(raw)}`));
          else return;
          watchers.delete(look);
        };
        watchers.add(look);
        look();
      }),
    type: (keys) => void child.stdin.write(`type ${JSON.stringify(keys)}\n`),
    resize: (toColumns, toRows) => {
      screen.resize(toColumns, toRows);
      return new Promise((resolve) => child.stdin.write(`size ${toColumns} ${toRows}\n`, () => resolve()));
    },
    ended,
  };
}
