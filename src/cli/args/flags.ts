import { parseArgs } from 'node:util';
import { kebab, type Options } from '../../core/options/option.ts';

/** A command line split into options and operands. Values are still text. */
export interface Flags {
  /** Texts given for each option, by its key. A flag without a value has the text `true`. */
  readonly texts: ReadonlyMap<string, readonly string[]>;
  readonly operands: readonly string[];
  /** Words that are not options of the command, as they were typed. */
  readonly unknown: readonly string[];
  /** Options that need a value and have none, as they were typed. */
  readonly incomplete: readonly string[];
}

type Token = ReturnType<typeof parseArgs<{ tokens: true; strict: false }>>['tokens'][number];
type OptionToken = Extract<Token, { kind: 'option' }>;

/** Splits a command line by a table of options. Does not throw: the caller reports faults. */
export function parseFlags(table: Options, argv: readonly string[]): Flags {
  const keys = new Map<string, string>();
  const options: Record<string, { type: 'string' | 'boolean'; short?: string; multiple: true }> = {};
  for (const [key, { placeholder, alias = [] }] of Object.entries(table)) {
    const type = placeholder === undefined ? 'boolean' : 'string';
    const short = alias.find((name) => name.length === 1);
    for (const name of [kebab(key), ...alias.filter((name) => name.length > 1)]) {
      keys.set(name, key);
      options[name] = { type, multiple: true };
    }
    if (short !== undefined) options[kebab(key)] = { type, short, multiple: true };
  }
  const { tokens, positionals } = parseArgs({ args: [...argv], options, strict: false, tokens: true });
  const texts = new Map<string, string[]>();
  const unknown: string[] = [];
  const incomplete: string[] = [];
  for (const token of tokens) {
    if (token.kind !== 'option') continue;
    const key = keys.get(token.name);
    const word = argv[token.index] as string;
    if (key === undefined || isMistyped(word, keys))
      unknown.push(isMistyped(word, keys) ? word : token.rawName);
    else if (lacksValue(token, table[key]?.placeholder)) incomplete.push(token.rawName);
    else texts.set(key, [...(texts.get(key) ?? []), textIn(token)]);
  }
  return { texts, operands: positionals, unknown, incomplete };
}

/** Returns true for a long option with one dash, such as `-http`, which would be read as `-h -t -t -p`. */
function isMistyped(word: string, keys: ReadonlyMap<string, string>): boolean {
  return /^-[^-]{2}/.test(word) && keys.has(word.slice(1));
}

/**
 * Returns whether an option lacks its value. A value that begins with a dash is more likely the next option;
 * `--name=-value` is unambiguous.
 */
function lacksValue({ value, inlineValue }: OptionToken, placeholder: string | undefined): boolean {
  if (placeholder === undefined || inlineValue === true) return false;
  return value === undefined || (value.length > 1 && value.startsWith('-'));
}

/** Returns the text of an option. `-j=20` means the same as `-j20`. */
function textIn({ value, rawName, inlineValue }: OptionToken): string {
  if (value === undefined) return 'true';
  return inlineValue && !rawName.startsWith('--') ? value.replace(/^=/, '') : value;
}
