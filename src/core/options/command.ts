import type { Progress, Total } from '../base/progress.ts';
import type { Options, OptionValues } from './option.ts';

/** What a command has of the process it runs in. Only `cli/` makes one. */
export interface Io {
  /** The standard input, in chunks as they come. It ends when `until` is aborted, and when all is to be left. */
  stdin(until: AbortSignal): AsyncIterable<Buffer>;
  /**
   * Writes to the standard output; resolves when more may be written.
   * @throws {TaskpipeError} `PIPE` once the reader is gone, `IO` where writing failed
   */
  write(data: string | Buffer): Promise<void>;
  /** Ends the standard output, while this process goes on: whoever reads it comes to its end. */
  end(): Promise<void>;
  /** A line for people, on the standard error. */
  say(message: string): void;
  /** A line on the standard error as it is: to be copied, or run. */
  tell(line: string): void;
  /** The same as `say`, unless `--quiet` was given. */
  note(message: string): void;
  /**
   * Shows how far the stage is, from now until it ends.
   * @param read is called where a person is shown something, so a few times a second at most: a record costs nothing
   */
  progress(read: () => Progress, total?: Total): void;
  /** The version of this package. */
  readonly version: string;
  /** What followed the name of the command, as it was typed. */
  readonly argv: readonly string[];
  /** Keys of the options that stood on the command line, not in the environment or a file. */
  readonly typed: ReadonlySet<string>;
  /** What the stages of one pipe have in common, and hardly any others: the machine, and who started them. */
  readonly pipe: string;
  /** Whether the standard input is a file. */
  readonly isFromFile: boolean;
  /** Whether the standard output goes on to another program. */
  readonly isPiped: boolean;
  /** The environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Aborted where the standard input is cut short on our side, so that its last line means nothing. */
  readonly cut: AbortSignal;
  /** Aborted by the first SIGINT, SIGTERM or SIGHUP: come to an end in good order. */
  readonly stopping: AbortSignal;
  /** The signal that came first, if any. */
  readonly signal: NodeJS.Signals | undefined;
  /** Aborted by the second one, or when the reader of the output is gone: leave at once. */
  readonly leaving: AbortSignal;
}

/** What an executable is made of. `cli/` turns it into a process. */
export interface Command<O extends Options = Options> {
  /** As it is typed. */
  readonly name: string;
  /** In a line. */
  readonly summary: string;
  /** What follows the name, as in `[FILE...]`. */
  readonly usage: string;
  /** More for the help text, after the summary. */
  readonly about: string;
  readonly options: O;
  /** What its first operand may be, where that is a verb: each with what it does, in a line. */
  readonly verbs?: Readonly<Record<string, string>>;
  /** Keys of options of which exactly one is to be given: they say what is done. */
  readonly kinds?: readonly string[];
  /** Keys of options that are of use to some kinds alone, and those. One that is typed with another kind is wrong usage. */
  readonly kindsOf?: Readonly<Record<string, readonly string[]>>;
  /** Text for the help of each kind alone. */
  readonly kindHelp?: Readonly<Record<string, string>>;
  /** Whether its operands, those after a verb, are files. Default: there are none, or they are something else. */
  readonly takesFiles?: boolean;
  /** Variables beside those of its options, and files beside those that they name, each with what it is. */
  readonly variables?: Readonly<Record<string, string>>;
  readonly files?: Readonly<Record<string, string>>;
  /** Options that stand apart in the help text: a heading, and their keys. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  /** Command lines, each with what it does. */
  readonly examples: readonly (readonly [line: string, words: string])[];
  /**
   * Whether all that it does is for who reads its output, so that it ends when that one leaves, also while it has
   * nothing to write. Default: yes.
   */
  emits?(values: OptionValues<O> & CommonValues, operands: readonly string[]): boolean;
  /**
   * Whether it runs code of the user's in this process. An error that escapes from that then stops it in good order,
   * as a signal does. Default: no, and an error that nobody catches is a defect, which ends the process.
   */
  runsUserCode?(values: OptionValues<O> & CommonValues): boolean;
  /**
   * @param operands what is no option, in order
   * @returns the exit code where nothing was thrown: 0, or 1 where some tasks or lines failed
   */
  run(values: OptionValues<O> & CommonValues, operands: readonly string[], io: Io): Promise<0 | 1>;
}

/** The options that every command has and that its code may want to know. */
export interface CommonValues {
  readonly quiet: boolean;
}

/** Types `run` by `options`. */
export function defineCommand<const O extends Options>(command: Command<O>): Command {
  return command as unknown as Command;
}
