import { InvalidValue } from '../options/option.ts';

/**
 * Parses the delimiter of an output. It must be ASCII because the output is read back byte by byte.
 * @throws {InvalidValue}
 */
export function toAsciiDelimiter(typed: string): string {
  const delimiter = typed === '\\t' ? '\t' : typed;
  if (!/^[\x01-\x7f]$/.test(delimiter) || /["\r\n]/.test(delimiter))
    throw new InvalidValue('must be one ASCII character, no quote or line end');
  return delimiter;
}
