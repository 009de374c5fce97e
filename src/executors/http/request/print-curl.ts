import { quote } from 'shlex';
import type { Request } from './build-request.ts';
import { type HeaderList, headerLine, isSecret } from './headers.ts';

export interface CurlOptions {
  /** As they were typed, `@FILE` among them. */
  readonly typed: readonly string[];
  /** The headers that these were read as: they are not said again. */
  readonly read: HeaderList;
  readonly userAgent: string;
  readonly follow: number;
  readonly insecure: boolean;
  /** For `Idempotency-Key`. */
  readonly key: string | undefined;
}

/**
 * The same request as a command line that can be run. What is secret is not in it: the value of a header is a
 * variable, as in `-H "Authorization: $AUTHORIZATION"`, where it is of `--header`, or its name tells of a secret; and
 * user and password of the url are left out.
 */
export function curlLine(request: Request, options: CurlOptions): string {
  const { method, target, headers, content, timeout } = request;
  const words = ['curl', '--globoff', '--compressed'];
  if (method === 'HEAD') words.push('--head');
  else if (method !== 'GET') words.push('--request', method);
  words.push(quote(target.href), '--user-agent', quote(options.userAgent));
  if (content !== undefined) words.push('-H', quote(`Content-Type: ${content.type}`));
  if (options.key !== undefined) words.push('-H', quote(`Idempotency-Key: ${options.key}`));
  // Not by the dozen: a call takes no more than some 100,000 arguments.
  for (const word of headerWords(headers, options)) words.push(word);
  if (content !== undefined) words.push('--data-raw', quote(content.text));
  if (options.follow > 0) words.push('--location', '--max-redirs', String(options.follow));
  if (options.insecure) words.push('--insecure');
  words.push('--max-time', String(timeout / 1000));
  return words.join(' ');
}

/** Those of the record one by one, and those of `--header` as they were typed. */
function headerWords(headers: HeaderList, { typed, read }: CurlOptions): string[] {
  const said = new Set<string>();
  for (let i = 0; i < read.length; i += 2) said.add(`${read[i]}: ${read[i + 1]}`);
  const words: string[] = [];
  for (const one of typed) {
    if (one.startsWith('@')) words.push('-H', quote(one));
    else words.push(...secretWord(headerLine(one)[0]));
  }
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    if (!said.has(`${name}: ${value}`)) words.push(...headerWord(name, value));
  }
  return words;
}

function headerWord(name: string, value: string): string[] {
  return isSecret(name)
    ? secretWord(name)
    : ['-H', quote(`${name}: ${Buffer.from(value, 'latin1').toString()}`)];
}

/** @param name undefined where a header is one that is not sent */
function secretWord(name: string | undefined): string[] {
  if (name === undefined) return [];
  const variable = name.toUpperCase().replace(/[^A-Z0-9]/g, '_');
  // A token may have characters that mean something to a shell between double quotes.
  return ['-H', /^[\w-]+$/.test(name) ? `"${name}: $${variable}"` : `${quote(`${name}: `)}"$${variable}"`];
}
