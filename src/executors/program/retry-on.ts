import { InvalidValue } from '../../core/options/option.ts';

/** Failures after which another attempt is made. */
export interface RetryOn {
  /** Ranges of exit codes. */
  readonly codes: readonly (readonly [first: number, last: number])[];
  readonly words: ReadonlySet<string>;
}

const WORDS = ['signal', 'timeout', 'died', 'any'];

/**
 * Default of `--retry-on`. With exit code 75, a program reports that another attempt may succeed (EX_TEMPFAIL of
 * sysexits.h). The death of a worker may have another cause than its task.
 */
export const RETRY_ON = '75,died';

/**
 * Parses `75,1-3,signal,timeout`.
 * @throws {InvalidValue}
 */
export function toRetryOn(typed: string): RetryOn {
  const parts = typed.split(',').map((part) => part.trim());
  const codes: [number, number][] = [];
  for (const part of parts) {
    const [, first, last = first] = /^(\d{1,3})(?:-(\d{1,3}))?$/.exec(part) ?? [];
    if (first !== undefined && Number(first) > 0 && Number(last) >= Number(first) && Number(last) < 256)
      codes.push([Number(first), Number(last)]);
    else if (/^([2-5]xx|[3-5]\d\d)\b/i.test(part))
      throw new InvalidValue('must be exit codes, up to 255; --retry-status has the statuses of --http');
    else if (!WORDS.includes(part))
      throw new InvalidValue(
        `must be exit codes and ${WORDS.join(', ')}, separated by commas, such as 75,100-110,timeout`,
      );
  }
  return { codes, words: new Set(parts) };
}

/** Returns whether a kind of failure, or an exit code, must be retried. */
export function isRetried({ codes, words }: RetryOn, what: string | number): boolean {
  if (words.has('any')) return true;
  return typeof what === 'string'
    ? words.has(what)
    : codes.some(([first, last]) => what >= first && what <= last);
}
