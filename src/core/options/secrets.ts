import { join } from 'shlex';
import { kebab, type Options } from './option.ts';

/** Replacement for a secret in texts for people. */
export const CONCEALED = '…';

/** Names of secrets, such as `API_KEY=…`, `--password …` or `?access_token=…`. */
const NAME = '[\\w-]*(?:passw(?:or)?d|pwd|passphrase|secret|token|key|credentials?|auth|signature|sig)';

/**
 * Patterns of secrets in any text, each with its replacement. A placeholder such as `{field}` is not a secret.
 */
const SECRETS: readonly (readonly [RegExp, string])[] = [
  [/([a-z][a-z\d+.-]*:\/\/)[^\s/?#'"@]*(?:@[^\s/?#'"@]*)*@/gi, `$1${CONCEALED}@`],
  [
    /\b((?:proxy-)?authorization|cookie|x-[\w-]*(?:auth|key|token|secret)[\w-]*)(\s*:\s*)[^'"\n]+/gi,
    `$1$2${CONCEALED}`,
  ],
  [/\b(bearer|basic)(\s+)[\w+/=.~-]{8,}/gi, `$1$2${CONCEALED}`],
  [new RegExp(`(--?${NAME}[= ]|(?<![a-z\\d])${NAME}=)(?![\\s{-])[^\\s&'";]+`, 'gi'), `$1${CONCEALED}`],
  [/(?<=^|\s)(-u\s*|--user[= ])(?![{\s])[^\s:'"]+:[^\s'"]+/g, `$1${CONCEALED}`],
];

/**
 * Conceals the parts of a text that look like secrets: user and password of urls, credentials in headers and
 * assignments.
 */
export function scrubbed(text: string): string {
  return SECRETS.reduce((left, [shape, stays]) => left.replace(shape, stays), text);
}

/** Word of a command line in place of the path of a pipe. */
const PIPE = 'PIPE';

/** Path that the shell gives for `<(command)`: it is invalid after the run. */
const PIPE_PATH = /(?<![^\s=@])\/(?:dev|proc\/self)\/fd\/\d+$/;

/** Returns a line that ends with a command, with a comment of the shell about the pipes in that command. */
export function withPipeNote(line: string): string {
  return new RegExp(`[ =@]${PIPE}(?= |$)`).test(line)
    ? `${line}  # ${PIPE} was a pipe such as <(command); type that again`
    : line;
}

/**
 * Returns a command line as typed, quoted for a shell, without secrets. An option with `redact` conceals its
 * values by that function; all other words are scrubbed. A pipe such as `/dev/fd/63` is `PIPE`.
 * @param argv words after the name
 */
export function typedLine(name: string, argv: readonly string[], options: Options): string {
  const redactors = new Map(
    Object.entries(options).map(([key, option]) => [`--${kebab(key)}`, option.redact]),
  );
  const words: string[] = [name];
  let conceal: ((typed: string) => string) | undefined;
  for (const word of argv) {
    const [, dashed = word, value] = /^(--[^=]+)=(.*)$/s.exec(word) ?? [];
    const show = conceal ?? scrubbed;
    if (conceal === undefined && value !== undefined)
      words.push(`${dashed}=${(redactors.get(dashed) ?? scrubbed)(value)}`);
    else words.push(show(word));
    conceal = conceal === undefined && value === undefined ? redactors.get(dashed) : undefined;
  }
  return join(words.map((word) => word.replace(PIPE_PATH, PIPE)));
}
