/** What holds for all commands of an executor. */
export interface Setup {
  readonly cwd?: string | undefined;
  readonly env: Readonly<Record<string, string>>;
  /** The most that one may write to both of its outputs, in bytes. */
  readonly maxOutput: number;
  /** What starts them, a POSIX shell. Default: `/bin/sh`. */
  readonly shell?: string;
}

/** A command to run. */
export interface Job {
  readonly file: string;
  /** Its words; the first is the name it is called by. */
  readonly words: readonly string[];
  /** Variables beside those of the setup; their names are made of letters, digits and `_`. */
  readonly env: Readonly<Record<string, string>>;
  /** What it gets on its standard input. */
  readonly input: string;
  /** In milliseconds. */
  readonly timeout: number;
}

/** Bytes that are UTF-8 as `text`, others as `base64`. */
export type CapturedOutput = { readonly text: string } | { readonly base64: string };

/** How a command ended. */
export interface JobReport {
  readonly exit: number | null;
  readonly signal: string | null;
  readonly stdout: CapturedOutput;
  readonly stderr: CapturedOutput;
  /** Why it was killed, if we did it. */
  readonly killed?: 'timeout' | 'output';
  /** Why it was never started: a code of the system, as in `ENOENT`, or words. */
  readonly fault?: string;
}

const NOTHING: CapturedOutput = { text: '' };

/** The report of a command that was never started. */
export function notStarted(fault: string): JobReport {
  return { exit: null, signal: null, stdout: NOTHING, stderr: NOTHING, fault };
}
