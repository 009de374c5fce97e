/*
 * What a runner and the stage say to each other: JSON, a line each, over one socket. The first line to a runner is
 * its `Setup`, all others are an `Order`; each order is answered by a `Report`, in any order. When the stage goes
 * away, however that is, the socket ends, and a runner kills what it has started.
 */

/** What holds for all commands of a runner. */
export interface Setup {
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string>>;
  /** The most that one may write to both of its outputs, in bytes. */
  readonly maxOutput: number;
}

/** A command to run. */
export interface Order {
  readonly id: number;
  readonly file: string;
  /** Its words; the first is the name it is called by. */
  readonly words: readonly string[];
  /** Variables beside those of the setup. */
  readonly env: Readonly<Record<string, string>>;
  /** What it gets on its standard input. */
  readonly input: string;
  /** In milliseconds. */
  readonly timeout: number;
}

/** Bytes that are UTF-8 as `text`, others as `base64`. */
export type Output = { readonly text: string } | { readonly base64: string };

/** How a command ended. */
export interface Report {
  readonly id: number;
  readonly exit: number | null;
  readonly signal: string | null;
  readonly stdout: Output;
  readonly stderr: Output;
  /** Why it was killed, if we did it. */
  readonly killed?: 'timeout' | 'output';
  /** Why it was never started, as a code of the system: `ENOENT`. */
  readonly fault?: string;
}
