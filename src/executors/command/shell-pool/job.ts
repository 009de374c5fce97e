/** Settings of all commands of an executor. */
export interface Setup {
  readonly cwd?: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** Maximum number of bytes on both outputs of a command together. */
  readonly maxOutput: number;
  /**
   * Silence after which outputs that a background process holds open are given up, in milliseconds. Default: they are
   * read to their end.
   */
  readonly linger?: number;
  /** POSIX shell that starts the commands. Default: `/bin/sh`. */
  readonly shell?: string;
}

/** Files that a command writes to, instead of its outputs being kept. */
export interface OutputFiles {
  /** Name of the file for stdout as the user wrote it. */
  readonly path: string;
  readonly stdout: string;
  readonly stderr: string;
}

/** Function that gets output while a command runs. */
export type Hear = (chunk: Buffer, from: 'stdout' | 'stderr') => void;

/** Command to run. */
export interface ShellJob {
  readonly file: string;
  /** Words; the first is the name by which the program is called. */
  readonly words: readonly string[];
  /** Variables besides those of the setup. Names consist of letters, digits and `_`. */
  readonly env: Readonly<Record<string, string>>;
  /** Files for its outputs. Default: they are kept in the report. */
  readonly files?: OutputFiles | undefined;
  /** Called with its output while it runs. */
  readonly hear?: Hear | undefined;
  /** Standard input. */
  readonly input: string;
  /** Aborted to end the command before its timeout. */
  readonly cancelled?: AbortSignal | undefined;
  /** In milliseconds; a function if it may change while the command runs. */
  readonly timeout: number | (() => number);
}

/** Bytes of an output: `text` if they are UTF-8, else `base64`; only their number if no string can hold them. */
export type CapturedOutput =
  | { readonly text: string }
  | { readonly base64: string }
  | { readonly bytes: number };

/** End of a command. */
export interface JobReport {
  readonly exit: number | null;
  readonly signal: string | null;
  readonly stdout: CapturedOutput;
  readonly stderr: CapturedOutput;
  /** Present if we killed it. */
  readonly killed?: 'timeout' | 'output';
  /** Present if its output was given up because a background process holds it open. */
  readonly isHeld?: true;
  /** Reason it was never started: a system error code such as `ENOENT`, or a message. */
  readonly fault?: string;
}

const NOTHING: CapturedOutput = { text: '' };

/** Returns the report of a command that was never started. */
export function notStarted(fault: string): JobReport {
  return { exit: null, signal: null, stdout: NOTHING, stderr: NOTHING, fault };
}
