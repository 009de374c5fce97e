import { writeSync } from 'node:fs';
import { hostname } from 'node:os';
import { isatty } from 'node:tty';
import type { CommandName } from '../commands/index.ts';
import type { Command, Io } from '../core/command.ts';
import { ioError, messageOf, TaskpipeError } from '../core/errors.ts';
import { escapeControls } from '../core/visible.ts';
import type { Arguments, Shell } from './args.ts';
import { DEFECT, EXIT_CODES } from './exits.ts';
import type { ProgressMode } from './progress.ts';
import type { Stop } from './signals.ts';
import { openTerminal, type Terminal } from './terminal.ts';

declare const TASKPIPE_VERSION: string;

/** Runs an executable, and sets the exit code of the process. */
export async function main(name: CommandName): Promise<void> {
  process.stderr.on('error', () => {}); // nobody reads what we say: that ends nothing
  const terminal = openTerminal(); // before anything is said: an earlier stage may end while a later one draws
  const argv = process.argv.slice(2);
  try {
    if (argv.length === 1 && argv[0] === '--version') {
      writeVersion(name);
      return;
    }
    process.exitCode = await runCommand(name, argv, terminal);
  } catch (error) {
    process.exitCode = report(name, error);
  }
}

function writeVersion(name: CommandName): void {
  try {
    writeSync(1, `${name} ${TASKPIPE_VERSION}\n`);
  } catch (error) {
    throw ioError('cannot write', 'the standard output', error);
  }
}

async function runCommand(
  name: CommandName,
  argv: readonly string[],
  terminal: Terminal | undefined,
): Promise<number> {
  // Loaded here, so that --version pays for nothing.
  const [{ commands }, args, pipes, progress, signals] = await Promise.all([
    import('../commands/index.ts'),
    import('./args.ts'),
    import('./pipes.ts'),
    import('./progress.ts'),
    import('./signals.ts'),
  ]);
  const command: Command = await commands[name]();
  const { values, operands, doubts } = await args.parseArguments(command, argv, process.env);
  const stop = signals.listenForSignals();
  const ended = new AbortController();
  const emits = command.emits?.(values as never, operands) ?? true;
  const output = pipes.openOutput({ onGone: emits ? stop.leave : undefined, leaving: stop.leaving });
  const say = (message: string): void => void process.stderr.write(`${name}: ${escapeControls(message)}\n`);
  const shown = progress.openProgress({
    name,
    mode: values.quiet || values.noProgress ? 'none' : (values.progress as ProgressMode),
    terminal: pipes.isPiped() ? undefined : terminal, // a later stage draws
    say,
  });
  stop.leaving.addEventListener('abort', shown.end); // the next signal ends the process
  if (values.quiet !== true) for (const doubt of doubts) say(doubt);
  const io: Io = {
    stdin: (until) => {
      if (process.stdin.isTTY) {
        shown.end(); // it would be drawn over what is being typed
        if (values.quiet !== true) say('reading from the terminal; end with Ctrl-D');
      }
      return pipes.stdin(AbortSignal.any([until, stop.leaving, ended.signal]));
    },
    write: isatty(1)
      ? (data) => {
          terminal?.erase();
          return output.write(data);
        }
      : output.write,
    end: output.end,
    say,
    tell: (line) => void process.stderr.write(`${escapeControls(line)}\n`),
    note: (message) => {
      if (values.quiet !== true) say(message);
    },
    progress: shown.show,
    version: TASKPIPE_VERSION,
    argv,
    pipe: `${hostname()}-${process.ppid}`,
    env: process.env,
    cut: AbortSignal.any([stop.leaving, ended.signal]),
    stopping: stop.stopping,
    leaving: stop.leaving,
  };
  const escapes = command.runsUserCode?.(values as never) ? signals.listenForEscapes(stop, say) : undefined;
  try {
    const text = await textFor(command, values);
    if (text === undefined) {
      const code = await command.run(values as never, operands, io);
      await output.finish();
      return escapes !== undefined && escapes.count > 0
        ? DEFECT
        : (codeOf(stop, signals.SIGNAL_CODES) ?? code);
    }
    await output.write(text);
    await output.finish();
    return 0;
  } catch (error) {
    const code = isPipe(error) ? codeOf(stop, signals.SIGNAL_CODES) : undefined;
    if (code === undefined) throw error;
    return code;
  } finally {
    shown.end();
    output.close();
    escapes?.release();
    stop.release();
    ended.abort(); // an input that nobody reads to its end would keep the process alive
  }
}

/** What is to be printed in place of a run; undefined where there is to be one. */
async function textFor(command: Command, values: Arguments['values']): Promise<string | undefined> {
  if (values.version === true) return `${command.name} ${TASKPIPE_VERSION}\n`;
  if (values.help === true) {
    const { helpFor } = await import('./help.ts');
    return helpFor(command, isatty(1) ? process.stdout.columns : 100);
  }
  if (values.completion === undefined) return undefined;
  const { completionFor } = await import('./completion/index.ts');
  return completionFor(values.completion as Shell);
}

function codeOf(
  { signal }: Stop,
  codes: Readonly<Partial<Record<NodeJS.Signals, number>>>,
): number | undefined {
  return signal === undefined ? undefined : codes[signal];
}

function isPipe(error: unknown): boolean {
  return error instanceof TaskpipeError && error.code === 'PIPE';
}

/** Says what ended the stage. Returns the exit code. */
function report(name: string, error: unknown): number {
  if (isPipe(error)) return EXIT_CODES.PIPE; // as with head: not a word
  const isOurs = error instanceof TaskpipeError;
  const words = isOurs
    ? messageOf(error)
    : `a defect in ${name}, please report it: ${error instanceof Error ? (error.stack ?? messageOf(error)) : String(error)}`;
  process.stderr.write(`${name}: ${escapeControls(words)}\n`);
  return isOurs ? EXIT_CODES[error.code] : DEFECT;
}
