import { value } from '../../../core/options/declare.ts';
import { InvalidValue } from '../../../core/options/option.ts';
import type { ToldLimit } from '../../contract.ts';
import type { Answer } from '../transport/answer.ts';
import { resetTime } from './rate-limit.ts';
import { singleHeader } from './server-time.ts';

/** Placeholder for the name of a limit in the name of a header. */
const NAME = '{name}';

/** Headers of OpenAI and of Anthropic. */
const KNOWN =
  'x-ratelimit-remaining-{name},x-ratelimit-reset-{name},anthropic-ratelimit-{name}-remaining,anthropic-ratelimit-{name}-reset';

/** Option for the headers with the limits of servers. */
export const quotaHeaderOptions = {
  /** Names of headers, in pairs: the remaining amount of a limit, and the time of its reset. */
  quotaHeaders: value(
    'headers that tell what is left of a --quota or --cost and when it is reset; {name} is its name, none follows none',
    'LEFT,RESET',
    toQuotaHeaders,
    {
      defaultText: 'those of OpenAI and Anthropic',
      details:
        'With --quota or --cost, a lane whose server has less left than the next task costs waits until the limit is reset. The default is x-ratelimit-remaining-{name} with x-ratelimit-reset-{name}, and anthropic-ratelimit-{name}-remaining with anthropic-ratelimit-{name}-reset. A reset may be in seconds, a time, or a duration such as 6m0s; it counts up to --max-retry-after.',
    },
  ),
};

/** Parses a list of header names in pairs, or `none`. @throws {InvalidValue} */
function toQuotaHeaders(typed: string): string {
  const names = typed.split(',');
  const isName = (name: string): boolean =>
    name.split(NAME).length === 2 && /^[\w-]+$/.test(name.replace(NAME, 'x').trim());
  if (typed.trim() !== 'none' && (names.length % 2 > 0 || !names.every(isName)))
    throw new InvalidValue(
      'must be two names of headers with {name}, what is left and when it is reset, as in x-left-{name},x-reset-{name}',
    );
  return typed;
}

/**
 * Returns the function that reads the limits of an answer; undefined if none are followed.
 * @param most longest time until a reset, in milliseconds
 */
export function toldLimitsBy(
  typed: string = KNOWN,
  most: number,
): ((answer: Answer) => readonly ToldLimit[]) | undefined {
  if (typed.trim() === 'none') return undefined;
  const names = typed.split(',').map((name) => name.trim().toLowerCase());
  const pairs = names.flatMap((name, i) =>
    i % 2 === 0 ? [{ left: partsOf(name), reset: names[i + 1] as string }] : [],
  );
  return ({ headers, isStored }) => {
    if (isStored === true) return [];
    const told: ToldLimit[] = [];
    for (const header of Object.keys(headers)) {
      for (const { left, reset } of pairs) {
        const [start, end] = left;
        if (!header.startsWith(start) || !header.endsWith(end) || header.length <= start.length + end.length)
          continue;
        const name = header.slice(start.length, header.length - end.length);
        const text = singleHeader(headers[header]) ?? '';
        const wait = resetTime(singleHeader(headers[reset.replace(NAME, name)]), headers);
        if (/^\d+(\.\d+)?$/.test(text) && wait !== undefined)
          told.push({ name, left: Number(text), wait: Math.min(wait, most) });
      }
    }
    return told;
  };
}

function partsOf(name: string): [start: string, end: string] {
  const [start = '', end = ''] = name.split(NAME);
  return [start, end];
}
