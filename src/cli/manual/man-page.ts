import { commands } from '../../commands/index.ts';
import type { Command } from '../../core/options/command.ts';
import { kebab, type Option } from '../../core/options/option.ts';
import { groupsOf, wordsOf } from '../args/help.ts';
import { variableOf } from '../args/parse-args.ts';
import { EXITS } from '../exits.ts';
import { bold, entry, heading, italic, paragraphs, prose, roff, typed } from './roff.ts';

/** Version and date in the header and footer of a page. */
export interface Edition {
  readonly version: string;
  /** Day of the build, such as `2026-01-31`. */
  readonly date: string;
}

/** Returns the man page of a command, from the same declaration as its help. */
export function commandPage(command: Command, edition: Edition): string {
  const { name, summary, usage, about, verbs = {}, kindHelp = {} } = command;
  return page([
    title(name, 1, edition),
    heading('SH', 'NAME'),
    `${roff(name)} \\- ${roff(lowered(summary))}`,
    heading('SH', 'SYNOPSIS'),
    `${bold(name)} ${italic(usage)}`,
    heading('SH', 'DESCRIPTION'),
    paragraphs(summary),
    paragraphs(about),
    ...Object.entries(verbs).map(([verb, words]) => entry(verb, words)),
    ...Object.entries(kindHelp).flatMap(([kind, text]) => [
      heading('SS', `--${kebab(kind)}`),
      kindText(text),
    ]),
    heading('SH', 'OPTIONS'),
    ...groupsOf(command).flatMap((group) => [
      heading('SS', group.heading.replace(/:$/, '')),
      ...Object.entries(group.options).map(([key, option]) => optionEntry(key, option)),
    ]),
    ...environment(command),
    ...exitStatus(),
    heading('SH', 'EXAMPLES'),
    ...command.examples.map(([line, words]) => `.PP\n${prose(`${raised(words)}:`)}\n${typed(line)}`),
    ...filesOf(command),
    seeAlso([...Object.keys(commands).filter((other) => other !== name), 'taskpipe']),
  ]);
}

/** Formats the help of a kind: lines with a tab are terms and their descriptions. */
function kindText(text: string): string {
  const lines = text.split('\n').map((line) => {
    const [term = '', words] = line.split('\t');
    return words === undefined ? paragraphs(term) : entry(term.trim(), words);
  });
  return lines.join('\n');
}

/** Joins the parts of a page. A heading begins a paragraph, so `.PP` after one is removed. */
export function page(parts: readonly string[]): string {
  return `${parts.join('\n')}\n`.replace(/^(\.S[HS] .*\n)\.PP\n/gm, '$1');
}

export function title(name: string, section: number, { version, date }: Edition): string {
  // Hyphenation off: many words are meant to be typed.
  return `.TH ${roff(name.toUpperCase())} ${section} ${date} "taskpipe ${version}" "taskpipe"\n.nh`;
}

export function exitStatus(): readonly string[] {
  return [
    heading('SH', 'EXIT STATUS'),
    ...EXITS.map(([codes, words]) => entry(codes.join(', '), `${raised(words)}.`)),
    '.PP',
    prose('The exit code of a pipe is that of its last stage, unless the shell option pipefail is set.'),
  ];
}

export function seeAlso(names: readonly string[]): string {
  const pages = names.map((name) => `.BR ${roff(name)} (${sectionOf(name)})`);
  return [
    heading('SH', 'SEE ALSO'),
    pages.join(' ,\n'),
    '.PP',
    prose('README and folder docs of the package.'),
  ].join('\n');
}

/** Returns the section of the manual that a page belongs to. */
export function sectionOf(name: string): 1 | 7 {
  return name === 'taskpipe' ? 7 : 1;
}

function optionEntry(key: string, option: Option<unknown>): string {
  const { alias = [], placeholder, many } = option;
  const names = [...alias.filter((name) => name.length === 1).map((name) => `-${name}`), `--${kebab(key)}`];
  names.push(...alias.filter((name) => name.length > 1).map((name) => `--${name}`));
  const term = `${names.map(bold).join(', ')}${placeholder === undefined ? '' : ` ${italic(placeholder)}`}`;
  const more = many === true && !option.description.includes('repeated') ? ' May be repeated.' : '';
  const details = option.details === undefined ? '' : `\n.IP\n${prose(option.details)}`;
  return `.TP\n${term}\n${prose(`${raised(wordsOf(option))}.${more}`)}${details}`;
}

function environment({ options, variables = {} }: Command): readonly string[] {
  const named = Object.entries(options).filter(([, { env }]) => env !== undefined);
  return [
    heading('SH', 'ENVIRONMENT'),
    paragraphs(
      'Every option is also a variable: TASK_ and its name in capitals, with _ in place of -, as in TASK_MAX_LINE=1MB. ' +
        'A flag is on if it is true, 1, yes or on. An option on the command line overrides the variable, which overrides --config.',
    ),
    ...named.map(([key, option]) => entry(variableOf(key, option), `Same as --${kebab(key)}.`)),
    ...Object.entries(variables).map(([variable, words]) => entry(variable, words)),
  ];
}

function filesOf({ options, files = {} }: Command): readonly string[] {
  const paths = Object.entries(options).filter(
    ([, { pathOf, placeholder }]) => pathOf === 'file' && placeholder !== undefined,
  );
  const entries = Object.entries(files).map(([name, words]) => entry(name, words));
  if (paths.length === 0 && entries.length === 0) return [];
  const names = paths.map(([key]) => `--${kebab(key)}`).join(', ');
  const also = entries.length === 0 ? '' : 'also ';
  return [
    heading('SH', 'FILES'),
    ...entries,
    ...(paths.length === 0 ? [] : [paragraphs(`Files are ${also}named by ${names}.`)]),
  ];
}

/**
 * Capitalizes the first letter: descriptions in declarations begin with a small letter and have no full stop.
 */
export function raised(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}

/** Returns a summary for NAME, where apropos(1) searches: small first letter, no full stop. */
function lowered(summary: string): string {
  return `${summary.charAt(0).toLowerCase()}${summary.slice(1)}`.replace(/\.$/, '');
}
