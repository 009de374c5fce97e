import { hostname } from 'node:os';
import type { Readable } from 'node:stream';
import { isatty } from 'node:tty';
import { type CommandName, commands } from '../commands/index.ts';
import { descriptors } from '../core/base/descriptors.ts';
import { TaskpipeError } from '../core/base/errors.ts';
import { escapeControls } from '../core/base/terminal-text.ts';
import type { Command, Io, Rescue } from '../core/options/command.ts';
import { type Arguments, parseArguments, type ShellName } from './args/parse-args.ts';
import { withoutReallyExit } from './early-exit.ts';
import { DEFECT } from './exits.ts';
import { endSoon, offerRescue, openWatchdog, type Watchdog, withoutStreams } from './guest/index.ts';
import { laterStages } from './io/later-stages.ts';
import {
  assertOutputIsOpen,
  isFromFile,
  isPiped,
  isTyped,
  type Output,
  openOutput,
  outputColumns,
  stdin,
} from './io/pipes.ts';
import { openTerminal, type Terminal } from './io/terminal.ts';
import { openProgress, type ProgressMode, type ShownProgress } from './progress/progress-text.ts';
import { listenForEscapes, listenForSignals, SIGNAL_CODES, SIGNALS, type Stop } from './signals.ts';

/** Command line of an executable. */
export interface RunOptions {
  readonly name: CommandName;
  readonly argv: readonly string[];
  readonly version: string;
}

/** Parts of the `Io` of a command. */
interface Parts extends RunOptions {
  readonly terminal: Terminal | undefined;
  readonly mode: ProgressMode;
  readonly isQuiet: boolean;
  readonly typed: ReadonlySet<string>;
  readonly stop: Stop;
  readonly output: Output;
  readonly shown: ShownProgress;
  readonly warn: (message: string) => void;
  /** Watchdog of the main thread, if user code may block it. */
  readonly watchdog: Watchdog | undefined;
  /** Called when the command reads, writes or reports: it has started. */
  readonly begun: () => void;
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
  let hasBegun = false;
  /**
   * Called after a signal. Returns whether no work has begun, and reports that. An error then only means that a
   * wait has ended.
   */
  const stopsBeforeWork = (): boolean => {
    if (hasBegun) return false;
    if (!isQuiet) warn('stopped before it read a task');
    return true;
  };
  const stop = listenForSignals(stopsBeforeWork);
  const ended = new AbortController();
  const emits = command.isFilter?.(values as never, operands) ?? true;
  if (emits) assertOutputIsOpen();
  const output = openOutput({ onGone: emits ? stop.leave : undefined, aborting: stop.aborting });
  const mode = isQuiet || values.noProgress ? 'none' : (values.progress as ProgressMode);
  const shown = openProgress({
    name,
    mode,
    terminal: isPiped() ? undefined : terminal, // only the last stage of a pipe draws
    warn,
  });
  stop.aborting.addEventListener('abort', shown.end); // the next signal ends the process
  if (!isQuiet) for (const doubt of doubts) warn(doubt);
  const begun = (): void => {
    hasBegun = true;
  };
  const guest = command.runsUserCode?.(values as never) ? openGuest(name, values, stop) : undefined;
  const io = ioOf({
    ...options,
    terminal,
    mode,
    isQuiet,
    typed,
    stop,
    output,
    shown,
    warn,
    begun,
    watchdog: guest?.watchdog,
    ended: ended.signal,
  });
  const escapes = guest === undefined ? undefined : listenForEscapes(stop, warn);
  try {
    const text = await textFor(command, values, kinds, options.version);
    if (text !== undefined) await output.write(text);
    const code = text === undefined ? await command.run(values as never, operands, io) : undefined;
    await output.finish();
    if (code === undefined) return 0;
    return escapes !== undefined && escapes.count > 0 ? DEFECT : (codeOf(stop) ?? code);
  } catch (error) {
    const code = codeOf(stop);
    const isEndOfWait = error instanceof TaskpipeError && error.code === 'PIPE'; // the reader left
    if (code === undefined || !(isEndOfWait || stopsBeforeWork())) throw error;
    return code;
  } finally {
    shown.end();
    output.close();
    escapes?.over();
    ended.abort();
    stop.over();
    if (guest !== undefined) endSoon(warn, stop.signal);
    guest?.watchdog?.ending();
  }
}

/** Protects the stage from user code that it will run in this process. */
function openGuest(
  name: string,
  { threads, grace }: Arguments['values'],
  stop: Stop,
): { watchdog: Watchdog | undefined } {
  withoutStreams();
  withoutReallyExit();
  if (threads !== undefined) return { watchdog: undefined }; // they leave this thread free to receive signals
  const watchdog = openWatchdog({ name, grace: grace as number, signals: SIGNALS }, stop.heard);
  stop.beforeEnd(watchdog.close);
  stop.stopping.addEventListener('abort', () => {
    if (stop.signal !== undefined) watchdog.stopping(stop.signal);
  });
  return { watchdog };
}

function ioOf(parts: Parts): Io {
  const { argv, version, terminal, isQuiet, typed, stop, output, shown, warn, begun, ended } = parts;
  let input: Readable | undefined;
  const rescue = (unfinished: (unread: Buffer) => Rescue): void =>
    offerRescue(() => {
      const left = unfinished((input?.read() as Buffer | null | undefined) ?? Buffer.alloc(0));
      output.writeLast(left.text);
      return left.unfinished;
    });
  const write = (data: string | Buffer): Promise<void> => {
    begun();
    return output.write(data);
  };
  return {
    stdin(until) {
      begun();
      if (isTyped()) {
        shown.end(); // the line would be drawn over the input of the user
        if (!isQuiet) warn('reading from the terminal; end with Ctrl-D');
      }
      return stdin(AbortSignal.any([until, stop.aborting, ended]), (stream) => {
        input = stream;
      });
    },
    write: isatty(descriptors.output)
      ? (data) => {
          terminal?.erase();
          return write(data);
        }
      : write,
    end: output.end,
    warn,
    print: (line) => void process.stderr.write(`${escapeControls(line)}\n`),
    info: isQuiet ? () => {} : warn,
    progress(read, total) {
      begun();
      shown.show(read, total);
    },
    begun,
    rescue: parts.watchdog && rescue,
    guarded: parts.watchdog?.ready,
    onCancel: process.channel === undefined ? undefined : onCancel,
    version,
    argv,
    typed,
    pipe: `${hostname()}-${process.ppid}`,
    isFromFile: isFromFile(),
    isPiped: isPiped(),
    laterStages,
    screen: parts.mode === 'auto' ? terminal : undefined,
    env: process.env,
    get signal() {
      return stop.signal;
    },
    truncated: AbortSignal.any([stop.aborting, ended]),
    stopping: stop.stopping,
    aborting: stop.aborting,
  };
}

/** Listens to a parent process, such as a task-serve. */
function onCancel(take: (uuid: string) => void): void {
  const answer = (): void => {
    if (process.connected) process.send?.({ pong: 1 }, undefined, undefined, () => {});
  };
  process.on('message', (message) => {
    const { cancel, ping } = (message ?? {}) as { cancel?: unknown; ping?: unknown };
    if (typeof cancel === 'string') take(cancel);
    if (ping !== undefined) answer(); // which shows that user code does not block this thread
  });
  process.channel?.unref(); // it need not keep the stage alive
  answer(); // the stage is ready: work that blocks it from now on is noticed
}

/** Returns the text to print instead of running the command; undefined to run the command. */
async function textFor(
  command: Command,
  values: Arguments['values'],
  kinds: readonly string[],
  version: string,
): Promise<string | undefined> {
  if (values.version === true) return `${command.name} ${version}\n`;
  if (values.help === true) {
    const { helpFor } = await import('./args/help.ts');
    return helpFor(command, outputColumns() ?? 100, kinds);
  }
  if (values.completion === undefined) return undefined;
  const { completionFor } = await import('./completion/index.ts');
  return completionFor(values.completion as ShellName);
}

/** Returns the exit code of a run that was stopped by a signal. */
function codeOf({ signal }: Stop): number | undefined {
  return signal === undefined ? undefined : SIGNAL_CODES[signal];
}
