import type { Answering } from './fault-servers.ts';

/** What a server does, and what must come of it. */
export interface FaultCase {
  readonly name: string;
  /** What its path is answered with; absent where `url` leads to a server that has one answer. */
  readonly answer?: Buffer | Answering | undefined;
  /** Whether that is over TLS. */
  readonly isSecure?: boolean;
  readonly url?: string;
  /** What else the record has. */
  readonly record?: object;
  /** `run.error.code`; several where it depends on Node. Absent: a success. */
  readonly code?: string | readonly string[];
  /** Whether it is tried again. Absent: either will do. */
  readonly again?: boolean;
  /** What the result must be, as far as it is said. */
  readonly result?: Readonly<Record<string, unknown>>;
}

/** Cases that come to the same end, by their names. */
export function alike(
  end: Omit<FaultCase, 'name' | 'answer'>,
  answers: Readonly<Record<string, Buffer | Answering>>,
): FaultCase[] {
  return Object.entries(answers).map(([name, answer]) => ({ name, answer, ...end }));
}
