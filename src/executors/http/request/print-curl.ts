import { quote as shellQuote } from 'shlex';
import { escapeControls } from '../../../core/base/terminal-text.ts';
import type { Request } from './build-request.ts';
import { type HeaderList, headerLine, headerValue, isSecret } from './headers.ts';

export interface CurlOptions {
  /** Values of `--header` as typed, with `@FILE`. */
  readonly typed: readonly string[];
  /** Headers that were parsed from `headers`. They are not printed twice. */
  readonly read: HeaderList;
  readonly userAgent: string;
  readonly follow: number;
  readonly insecure: boolean;
  /** Options for the login and for certificates, quoted for a shell. */
  readonly login: readonly string[];
  /** Options for the way to the server, quoted. */
  readonly route?: readonly string[];
  /** Value of `Idempotency-Key`. */
  readonly key: string | undefined;
}

/**
 * Returns a request as a command line that can be run, without secrets. The value of a header becomes a
 * variable, such as `-H "Authorization: $AUTHORIZATION"`, if it comes from `--header` or its name suggests a
 * secret. User and password of the url are left out.
 */
export function curlLine(request: Request, options: CurlOptions): string {
  const { method, target, headers, content, timeout } = request;
  const words = ['curl', '--globoff', '--compressed'];
  if (method === 'HEAD' && content === undefined) words.push('--head');
  else if (method !== 'GET' || content !== undefined) words.push('--request', quote(method));
  words.push(quote(target.href), '--user-agent', quote(options.userAgent));
  const isTyped = headerValue(headers, 'content-type') !== undefined;
  if (content !== undefined && !isTyped && !content.setsType && content.type !== '')
    words.push('-H', quote(`Content-Type: ${content.type}`));
  if (options.key !== undefined) words.push('-H', quote(`Idempotency-Key: ${options.key}`));
  // One by one: a spread call takes only about 100,000 arguments.
  for (const word of headerWords(headers, options)) words.push(word);
  words.push(...options.login);
  if (content?.upload !== undefined) for (const word of content.upload.curl()) words.push(quote(word));
  else if (content !== undefined) words.push('--data-raw', quote(content.text));
  if (options.follow > 0) words.push('--location', '--max-redirs', String(options.follow));
  if (options.insecure) words.push('--insecure');
  if (options.route !== undefined) words.push(...options.route);
  words.push('--max-time', String(timeout / 1000));
  return words.join(' ');
}

/** Returns the headers of the record one by one, and those of `--header` as typed. */
function headerWords(headers: HeaderList, { typed, read }: CurlOptions): string[] {
  const said = new Set<string>();
  for (let i = 0; i < read.length; i += 2) said.add(`${read[i]}: ${read[i + 1]}`);
  const words: string[] = [];
  for (const one of typed) {
    const [name, value] = one.startsWith('@') ? [] : headerLine(one);
    if (one.startsWith('@')) words.push('-H', quote(one));
    else if (name !== undefined && headerValue(headers, name.toLowerCase()) === value)
      words.push(...secretWord(name));
  }
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    const value = headers[i + 1] as string;
    if (!said.has(`${name}: ${value}`)) words.push(...headerWord(name, value));
  }
  return words;
}

function headerWord(name: string, value: string): string[] {
  if (isSecret(name)) return secretWord(name);
  // curl takes "Name:" for a header to leave out.
  return ['-H', quote(value === '' ? `${name};` : `${name}: ${Buffer.from(value, 'latin1').toString()}`)];
}

/**
 * Quotes a word for a shell. Characters that could control a terminal are written as bytes, for bash, zsh and ksh.
 */
export function quote(text: string): string {
  if (escapeControls(text) === text) return shellQuote(text);
  let word = '';
  for (const byte of Buffer.from(text)) {
    const isPlain = byte >= 32 && byte < 127 && byte !== 39 && byte !== 92;
    word += isPlain ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`;
  }
  return `$'${word}'`;
}

function secretWord(name: string): string[] {
  const variable = name.toUpperCase().replace(/[^A-Z0-9]/g, '_');
  // A token may contain characters that a shell interprets inside double quotes.
  return ['-H', /^[\w-]+$/.test(name) ? `"${name}: $${variable}"` : `${quote(`${name}: `)}"$${variable}"`];
}
