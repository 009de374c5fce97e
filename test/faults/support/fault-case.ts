import type { Answering } from './fault-servers.ts';

/** Behaviour of a server, with the expected record. */
export interface FaultCase {
  readonly name: string;
  /** Answer to its path; absent if `url` leads to a server with a single answer. */
  readonly answer?: Buffer | Answering | undefined;
  /** True for TLS. */
  readonly isSecure?: boolean;
  readonly url?: string;
  /** Further attributes of the record. */
  readonly record?: object;
  /** Expected `run.error.code`; several if it depends on Node. Absent: a success. */
  readonly code?: string | readonly string[];
  /** True if the task must be retried, false if it must not. Absent: not checked. */
  readonly again?: boolean;
  /** Expected members of the result. */
  readonly result?: Readonly<Record<string, unknown>>;
}

/** Returns cases with the same expected end. @param answers answers by the name of the case */
export function alike(
  end: Omit<FaultCase, 'name' | 'answer'>,
  answers: Readonly<Record<string, Buffer | Answering>>,
): FaultCase[] {
  return Object.entries(answers).map(([name, answer]) => ({ name, answer, ...end }));
}
