import { hostname } from 'node:os';
import { isatty } from 'node:tty';
import { type CommandName, commands } from '../commands/index.ts';
import { TaskpipeError } from '../core/base/errors.ts';
import { escapeControls } from '../core/base/terminal-text.ts';
import type { Command, Io } from '../core/options/command.ts';
import { type Arguments, parseArguments, type ShellName } from './args/parse-args.ts';
import { DEFECT } from './exits.ts';
import { isFile, isPiped, type Output, openOutput, stdin } from './io/pipes.ts';
import { openTerminal, type Terminal } from './io/terminal.ts';
import { openProgress, type ProgressMode, type ShownProgress } from './progress/progress-text.ts';
import { listenForEscapes, listenForSignals, SIGNAL_CODES, type Stop } from './signals.ts';

/** Command line of an executable. */
export interface RunOptions {
  readonly name: CommandName;
  readonly argv: readonly string[];
  readonly version: string;
}

/** Parts of which the `Io` of a command is made. */
interface Parts extends RunOptions {
  readonly terminal: Terminal | undefined;
  readonly isQuiet: boolean;
  readonly typed: ReadonlySet<string>;
  readonly stop: Stop;
  readonly output: Output;
  readonly shown: ShownProgress;
  readonly warn: (message: string) => void;
  /**
   * Aborted at the end of the run. An input that is not read to its end would otherwise keep the process alive.
   */
  readonly ended: AbortSignal;
}

/** Runs an executable. Returns its exit code. @throws the error that ended it */
export async function run(options: RunOptions): Promise<number> {
  const { name, argv } = options;
  const terminal = openTerminal(); // before the first message: an earlier stage of the pipe may end while a later one draws
  const command: Command = await commands[name]();
  const { values, operands, typed, kinds, doubts } = await parseArguments(command, argv, process.env);
  const isQuiet = values.quiet === true;
  const warn = (message: string): void => void process.stderr.write(`${name}: ${escapeControls(message)}\n`);
  const stop = listenForSignals();
  const ended = new AbortController();
  const emits = command.isFilter?.(values as never, operands) ?? true;
  const output = openOutput({ onGone: emits ? stop.leave : undefined, aborting: stop.aborting });
  const shown = openProgress({
    name,
    mode: isQuiet || values.noProgress ? 'none' : (values.progress as ProgressMode),
    terminal: isPiped() ? undefined : terminal, // only the last stage of a pipe draws
    warn,
  });
  stop.aborting.addEventListener('abort', shown.end); // the next signal ends the process
  if (!isQuiet) for (const doubt of doubts) warn(doubt);
  const io = ioOf({ ...options, terminal, isQuiet, typed, stop, output, shown, warn, ended: ended.signal });
  const escapes = command.runsUserCode?.(values as never) ? listenForEscapes(stop, warn) : undefined;
  try {
    const text = await textFor(command, values, kinds, options.version);
    if (text !== undefined) await output.write(text);
    const code = text === undefined ? await command.run(values as never, operands, io) : undefined;
    await output.finish();
    if (code === undefined) return 0;
    return escapes !== undefined && escapes.count > 0 ? DEFECT : (codeOf(stop) ?? code);
  } catch (error) {
    const code = error instanceof TaskpipeError && error.code === 'PIPE' ? codeOf(stop) : undefined;
    if (code === undefined) throw error;
    return code;
  } finally {
    shown.end();
    output.close();
    escapes?.release();
    ended.abort();
  }
}

function ioOf({ argv, version, terminal, isQuiet, typed, stop, output, shown, warn, ended }: Parts): Io {
  return {
    stdin(until) {
      if (process.stdin.isTTY) {
        shown.end(); // the line would be drawn over what the user types
        if (!isQuiet) warn('reading from the terminal; end with Ctrl-D');
      }
      return stdin(AbortSignal.any([until, stop.aborting, ended]));
    },
    write: isatty(1)
      ? (data) => {
          terminal?.erase();
          return output.write(data);
        }
      : output.write,
    end: output.end,
    warn,
    print: (line) => void process.stderr.write(`${escapeControls(line)}\n`),
    info: isQuiet ? () => {} : warn,
    progress: shown.show,
    version,
    argv,
    typed,
    pipe: `${hostname()}-${process.ppid}`,
    isFromFile: isFile(0),
    isPiped: isPiped(),
    env: process.env,
    get signal() {
      return stop.signal;
    },
    truncated: AbortSignal.any([stop.aborting, ended]),
    stopping: stop.stopping,
    aborting: stop.aborting,
  };
}

/** Returns the text to print instead of running the command; undefined if the command is to run. */
async function textFor(
  command: Command,
  values: Arguments['values'],
  kinds: readonly string[],
  version: string,
): Promise<string | undefined> {
  if (values.version === true) return `${command.name} ${version}\n`;
  if (values.help === true) {
    const { helpFor } = await import('./args/help.ts');
    return helpFor(command, isatty(1) ? process.stdout.columns : 100, kinds);
  }
  if (values.completion === undefined) return undefined;
  const { completionFor } = await import('./completion/index.ts');
  return completionFor(values.completion as ShellName);
}

/** Returns the exit code of a run that was stopped by a signal. */
function codeOf({ signal }: Stop): number | undefined {
  return signal === undefined ? undefined : SIGNAL_CODES[signal];
}
