import { quote } from 'shlex';
import type { CompletedCommand, CompletedOption } from './completion-table.ts';

/**
 * Returns the script for zsh: to be evaluated after compinit, or saved as `_taskpipe` in a folder of `fpath`.
 */
export function zshCompletion(commands: readonly CompletedCommand[]): string {
  const names = commands.map(({ name }) => name).join(' ');
  return `#compdef ${names}
# Completion of taskpipe for zsh; in ~/.zshrc, after compinit: eval "$(task-load --completion zsh)"
_taskpipe() {
  case $service in
${commands.map(caseOf).join('\n')}
  esac
}
if [[ $funcstack[1] == _taskpipe ]]; then _taskpipe "$@"
elif (( $+functions[compdef] )); then compdef _taskpipe ${names}
else print -u2 'taskpipe: for completion, run this first: autoload -Uz compinit && compinit'
fi
`;
}

function caseOf({ name, options, kinds, verbs, takesFiles }: CompletedCommand): string {
  const pairs = Object.entries(verbs).map(([verb, words]) => `${verb}\\:${quote(escaped(words))}`);
  const operands = [
    ...(pairs.length > 0 ? [quote(`1:verb:((${pairs.join(' ')}))`)] : []),
    ...(takesFiles ? [quote('*:file:_files')] : []),
  ];
  const specs = [...options.flatMap((option) => specsOf(option, kinds)), ...operands];
  return `    ${name}) _arguments -S -s : \\\n      ${specs.join(' \\\n      ')} ;;`;
}

/** Returns a spec for each name of an option. Names of one option exclude each other, and so do kinds. */
function specsOf(option: CompletedOption, kinds: readonly string[]): readonly string[] {
  const { names, words, placeholder, candidates, isRepeatable } = option;
  const others = names.some((name) => kinds.includes(name)) ? kinds : names;
  const excluded = isRepeatable ? '*' : `(${others.join(' ')})`;
  const value = placeholder === undefined ? '' : `:${escaped(placeholder)}:${actionOf(candidates)}`;
  return names.map((name) => {
    const glue = placeholder === undefined ? '' : name.startsWith('--') ? '=' : '+';
    return quote(`${excluded}${name}${glue}[${escaped(words)}]${value}`);
  });
}

function actionOf(candidates: CompletedOption['candidates']): string {
  if (candidates === 'file') return '_files';
  if (candidates === 'folder') return '_files -/';
  return candidates === undefined ? ' ' : `(${candidates.join(' ')})`;
}

/** Escapes characters that are special in the specs of `_arguments`. */
function escaped(text: string): string {
  return text.replace(/[[\]:\\]/g, '\\$&');
}
