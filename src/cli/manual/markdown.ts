import { commands } from '../../commands/index.ts';
import type { Command } from '../../core/options/command.ts';
import { kebab, type Option } from '../../core/options/option.ts';
import { type Group, groupsOf } from '../args/help.ts';
import { COMMON, variableOf } from '../args/parse-args.ts';

/** Returns docs/options.md: every option of every command with its variable. */
export async function optionsTable(): Promise<string> {
  const all = await Promise.all(Object.values(commands).map((get) => get()));
  const parts = all.map(
    (command) => `## ${command.name}\n\n${command.summary}\n${ownGroups(command).map(tableOf).join('')}`,
  );
  const common = `## All commands\n${tableOf({ heading: '', options: COMMON })}`;
  return `# Options

Every option with its default and its environment variable. An option on the command line overrides the variable, which
overrides the file of \`--config\`, where options have the same names without dashes: \`{"max-line": "1MB"}\`.

\`npm run cases\` writes this page, from the declarations that help, man pages and completion come from too.

${[...parts, common].join('\n')}`;
}

function ownGroups(command: Command): readonly Group[] {
  return groupsOf(command).filter(({ options }) => options !== COMMON);
}

function tableOf({ heading, options }: Group): string {
  const rows = Object.entries(options).map(
    ([key, option]) => `| ${cellsOf(key, option).map(escaped).join(' | ')} |\n`,
  );
  const title = heading === '' || heading === 'Options:' ? '' : `\n**${heading.replace(/:$/, '')}**\n`;
  return `${title}\n| option | description | default | variable |\n| --- | --- | --- | --- |\n${rows.join('')}`;
}

function cellsOf(key: string, option: Option<unknown>): readonly string[] {
  const { alias = [], placeholder, description, defaultText = '' } = option;
  const names = [kebab(key), ...alias].map((name) => (name.length === 1 ? `-${name}` : `--${name}`));
  const [first = '', ...others] = names;
  const typed = [placeholder === undefined ? first : `${first} ${placeholder}`, ...others];
  return [
    typed.map((one) => `\`${one}\``).join(', '),
    description,
    defaultText,
    `\`${variableOf(key, option)}\``,
  ];
}

/** Escapes bars, which would end the cell, and text that looks like a tag. */
function escaped(cell: string): string {
  return cell.replaceAll('|', '\\|').replace(/<(?=\w)/g, '&lt;');
}
