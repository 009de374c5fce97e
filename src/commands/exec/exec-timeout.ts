import { duration, value } from '../../core/options/declare.ts';
import { InvalidValue, type Option } from '../../core/options/option.ts';

/** Timeout in milliseconds, or as a percentage of the median time. */
type Timeout = number | { readonly percent: number };

const plain = duration('', { min: 1 });

function toTimeout(typed: string): Timeout {
  const [, digits] = /^(\d+)%$/.exec(typed.trim()) ?? [];
  if (digits === undefined) return plain.parse(typed) as number;
  if (Number(digits) <= 100) throw new InvalidValue('must be a duration, or more than 100%');
  return { percent: Number(digits) };
}

export const timeoutOption: Option<Timeout | undefined> = value(
  'for each attempt, first to last byte; with --command also N% of the median',
  'DURATION|N%',
  toTimeout,
  {
    defaultText: '30s for --http, else 1h',
    details:
      'With --command, 300% ends commands that take three times as long as the median of those that succeeded, at least 100ms, once there are three; until then, 1h.',
  },
);
