import { split } from 'shlex';
import { InvalidValue } from '../../core/options/option.ts';

/** Characters that a shell would interpret, outside quotes and inside double quotes. */
const BARE = /[|&;<>()`*]|\$(?:\w+|[({'"])|(?:^|\s)~/;
const IN_DOUBLE_QUOTES = /`|\$(?:\w+|[({])/;

const QUOTED = /\\.|'[^']*'|"(?:\\.|[^"\\])*"/gs;

/** Placeholders `{name}`, and `{{` and `}}`, which are literal braces. */
const BRACES = /\{\{|\}\}|\{[^{}]*\}/g;

/**
 * Splits a command into words as a POSIX shell does (quotes, backslashes), without variables, patterns or
 * pipes.
 * @param isTemplate whether placeholders stay in their word even if they contain white space
 * @throws {InvalidValue} if a quote is not closed, there is no word, or a shell is needed
 */
export function splitWords(typed: string, isTemplate: boolean): string[] {
  const braces: string[] = [];
  // NUL cannot occur in an argument, so it can mark placeholders.
  const mask = (brace: string): string => `\0${braces.push(brace) - 1}\0`;
  const plain = typed.replaceAll('\0', '');
  const bare = isTemplate ? plain.match(BRACES)?.find((brace) => /^\{[./]*\}$/.test(brace)) : undefined;
  if (bare !== undefined)
    throw new InvalidValue(`must name the attribute in ${bare}, as in {line${bare.slice(1)}`);
  const masked = isTemplate ? plain.replace(BRACES, mask) : plain;
  refuseShell(masked);
  let words: string[];
  try {
    words = split(masked);
  } catch {
    throw new InvalidValue('must close its quotes');
  }
  if (words.length === 0 || words[0] === '') throw new InvalidValue('must be a command');
  return words.map((word) => word.replace(/\0(\d+)\0/g, (_, index) => braces[Number(index)] ?? ''));
}

function refuseShell(text: string): void {
  const quoted = text.match(QUOTED) ?? [];
  const bare = text.replace(QUOTED, '_');
  const found = [
    bare.match(BARE),
    ...quoted.map((part) => part.startsWith('"') && part.match(IN_DOUBLE_QUOTES)),
  ];
  const [sign] = found.find((match) => match) || [];
  if (sign === undefined) return;
  throw new InvalidValue(
    `must be a program and its arguments; ${sign.trim()} needs a shell: add --shell, or put it into single quotes to pass it as text`,
  );
}
