import type { Progress, Total } from '../base/progress.ts';
import type { Options, OptionValues } from './option.ts';

/** Process that a command runs in. Only `cli/` creates one. */
export interface Io {
  /** Reads standard input in chunks as they arrive. Ends when `until` is aborted, or when the stage leaves. */
  stdin(until: AbortSignal): AsyncIterable<Buffer>;
  /**
   * Writes to standard output; resolves when more may be written.
   * @throws {TaskpipeError} `PIPE` once the reader is gone, `IO` if writing failed
   */
  write(data: string | Buffer): Promise<void>;
  /** Closes standard output while the process continues, so that its reader sees the end. */
  end(): Promise<void>;
  /** Writes a message to stderr, after the name of the command. */
  warn(message: string): void;
  /** Writes a line to stderr unchanged: to be copied or run. */
  print(line: string): void;
  /** Writes a message as `warn` does, unless `--quiet` was given. */
  info(message: string): void;
  /**
   * Shows progress from now to the end of the stage.
   * @param read called a few times per second at most, so that progress costs no time per record
   */
  progress(read: () => Progress, total?: Total): void;
  /**
   * Reports that the work has begun. `stdin`, `write` and `progress` do so as well. Until then the first signal
   * ends the process.
   */
  begun(): void;
  /**
   * Sets the function that returns the last records of a process that is killed because user code blocks it.
   * Absent if that cannot happen.
   * @param unfinished synchronous; receives the bytes of standard input that were read and not passed on
   */
  readonly rescue?: ((unfinished: (unread: Buffer) => Rescue) => void) | undefined;
  /** Calls a function with each uuid that the parent process cancels; undefined if the parent cannot ask for it. */
  readonly onCancel: ((take: (uuid: string) => void) => void) | undefined;
  /** Version of this package. */
  readonly version: string;
  /** Words after the name of the command, as typed. */
  readonly argv: readonly string[];
  /** Keys of the options on the command line, not in the environment or a file. */
  readonly typed: ReadonlySet<string>;
  /** Identity of the pipe: host and parent process, which its stages share. */
  readonly pipe: string;
  /** True if standard input is a file. */
  readonly isFromFile: boolean;
  /** True if standard output is a pipe to another program. */
  readonly isPiped: boolean;
  /**
   * Returns the command lines of the later stages of this pipe, as words, the next one first. The list is empty
   * on systems other than Linux.
   */
  laterStages(): readonly (readonly string[])[];
  /** Terminal on stderr; undefined if stderr is not one, or if progress is not drawn. */
  readonly screen: Screen | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted if we cut standard input short, so that its last line is incomplete. */
  readonly truncated: AbortSignal;
  /**
   * Promise that resolves when user code may run: before that, it could block the main thread unnoticed. Undefined:
   * at once.
   */
  readonly guarded: Promise<unknown> | undefined;
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP: finish what runs. */
  readonly stopping: AbortSignal;
  /** First signal that arrived. */
  readonly signal: NodeJS.Signals | undefined;
  /** Aborted by the second signal, or when the reader of the output is gone: leave at once. */
  readonly aborting: AbortSignal;
}

/** Terminal on which lines are drawn again and again. */
export interface Screen {
  /** Current width and height, in characters. */
  readonly columns: number;
  readonly rows: number;
  /** Replaces the drawn lines, until another message is written. Each must be narrower than the terminal. */
  draw(lines: string): void;
}

/** Records of a stage that is killed. */
export interface Rescue {
  /** Text for standard output. */
  readonly text: string;
  /** Number of unfinished tasks; -1 if they have no record. */
  readonly unfinished: number;
}

/** Declaration of an executable. `cli/` turns it into a process. */
export interface Command<O extends Options = Options> {
  /** Name as typed. */
  readonly name: string;
  /** One line. */
  readonly summary: string;
  /** Words after the name, such as `[FILE...]`. */
  readonly usage: string;
  /** Help after the summary. */
  readonly about: string;
  readonly options: O;
  /** Verbs that the first operand may be, each with a one-line description. */
  readonly verbs?: Readonly<Record<string, string>>;
  /** Keys of the options that select the kind of work; exactly one of them must be given. */
  readonly kinds?: readonly string[];
  /**
   * Kinds that use an option, for options that not all kinds use. Such an option is an error on the command
   * line of another kind.
   */
  readonly kindsOf?: Readonly<Record<string, readonly string[]>>;
  /** Text for the help of each kind alone. */
  readonly kindHelp?: Readonly<Record<string, string>>;
  /** True if operands (after a verb, if there are verbs) are files. Default: false. */
  readonly takesFiles?: boolean;
  /** Environment variables and files besides those of the options, each with a description. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  /** Option keys by heading, for separate groups in the help. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  /** Command lines, each with a description. */
  readonly examples: readonly (readonly [line: string, words: string])[];
  /** Configuration file that is read without `--config`, if it exists. */
  readonly defaultConfig?: {
    readonly file: string;
    /** Key that the file must contain; other files of this name are ignored. */
    readonly mark: string;
    /** Returns whether the file has settings that the other options lack. */
    isNeeded(values: Readonly<Record<string, unknown>>, operands: readonly string[]): boolean;
  };
  /**
   * Returns whether the command works only for the reader of its output. It then ends when the reader leaves,
   * even while it has nothing to write. Default: yes.
   */
  isFilter?(values: OptionValues<O> & CommonValues, operands: readonly string[]): boolean;
  /**
   * Returns whether the command runs user code in this process. An error that this code does not catch then
   * stops the stage as a signal does. Default: no; an uncaught error is then a defect and ends the process.
   */
  runsUserCode?(values: OptionValues<O> & CommonValues): boolean;
  /**
   * @param operands words that are not options, in order
   * @returns the exit code: 0, or 1 if some tasks or lines failed
   */
  run(values: OptionValues<O> & CommonValues, operands: readonly string[], io: Io): Promise<0 | 1>;
}

/** Options of every command that its code may need. */
export interface CommonValues {
  readonly quiet: boolean;
}

/** Returns the command. Its `run` is type-checked against its options. */
export function defineCommand<const O extends Options>(command: Command<O>): Command {
  return command as unknown as Command;
}
