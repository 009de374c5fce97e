import robotsParser from 'robots-parser';

/** Rules of one robots.txt. */
export interface RobotsRules {
  /** Returns the number of the line that disallows a path; undefined if it is allowed. @param path path and query */
  refusal(path: string, product: string): number | undefined;
  /** Returns the time between two requests, in milliseconds; 0 if none is asked for. */
  delay(product: string): number;
}

/** Bytes of a file that are read, as Google's parser does; RFC 9309 asks for at least these. */
export const MAX_ROBOTS: number = 500 * 1024;

/** Lines of a group, with common misspellings that Google's parser accepts; also without a colon. */
const LINES: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['user-agent', /^[\s\ufeff]*user[- ]?agent(?:\s*:\s*|\s+)([^#]*)/i],
  ['allow', /^[\s\ufeff]*allow(?:\s*:\s*|\s+)([^#]*)/i],
  ['disallow', /^[\s\ufeff]*(?:dis+al+ow|diasllow|disallaw)(?:\s*:\s*|\s+)([^#]*)/i],
  ['crawl-delay', /^[\s\ufeff]*crawl[- ]?delay\s*:\s*([^#]*)/i],
];

/** Parser, with the types of its import corrected. */
const parser = robotsParser as unknown as (
  url: string,
  text: string,
) => {
  isAllowed(url: string, product: string): boolean | undefined;
  getMatchingLineNumber(url: string, product: string): number;
  getCrawlDelay(product: string): number | undefined;
};

const ORIGIN = 'http://robots.invalid';

/** Parses a robots.txt by RFC 9309. */
export function parseRobots(text: string): RobotsRules {
  const parsed = parser(
    `${ORIGIN}/robots.txt`,
    text
      .split(/\r\n|\r|\n/)
      .map(canonical)
      .join('\n'),
  );
  return {
    refusal(path, product) {
      if (path === '/robots.txt') return undefined; // allowed by RFC 9309
      const url = `${ORIGIN}${canonicalPath(path)}`;
      return parsed.isAllowed(url, product) === false
        ? parsed.getMatchingLineNumber(url, product)
        : undefined;
    },
    delay(product) {
      const seconds = parsed.getCrawlDelay(product) ?? 0;
      return seconds > 0 ? seconds * 1000 : 0;
    },
  };
}

/** Returns the product token of a `User-Agent` header, by which a file names its groups; `*` if it has none. */
export function productOf(userAgent: string): string {
  return /^[a-z_-]+/i.exec(userAgent.trim())?.[0].toLowerCase() ?? '*';
}

/**
 * Returns a line in the form that robots-parser reads right. (The library ends a group at a Sitemap or unknown line,
 * takes the whole value of User-agent for the token, and compares escapes literally, except for the case of their
 * letters.)
 */
function canonical(line: string): string {
  for (const [name, pattern] of LINES) {
    const value = pattern.exec(line)?.[1]?.trim();
    if (value === undefined) continue;
    if (name === 'crawl-delay') return `${name}: ${value}`;
    if (name !== 'user-agent') return `${name}: ${canonicalPattern(value)}`;
    return `${name}: ${/^\*(?:\s|$)/.test(value) ? '*' : (/^[a-z_-]+/i.exec(value)?.[0] ?? '')}`;
  }
  return '';
}

/** Returns a pattern in which only `*` and a last `$` are special. */
function canonicalPattern(pattern: string): string {
  return comparable(pattern).replace(/\$(?!$)|'/g, escaped);
}

/** Returns a path without special characters of patterns. */
function canonicalPath(path: string): string {
  return comparable(path).replace(/[*$'|[\]^]/g, escaped);
}

/** Decodes escapes of characters that need none (RFC 9309, 2.2.2). */
function comparable(text: string): string {
  return text.replace(/%[0-9a-f]{2}/gi, (triplet) => {
    const character = String.fromCharCode(Number.parseInt(triplet.slice(1), 16));
    return /[\w.~-]/.test(character) ? character : triplet.toUpperCase();
  });
}

function escaped(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase()}`;
}
