import type { CompletedCommand, CompletedOption } from './completion-table.ts';

/** Returns the script for fish: a file in `~/.config/fish/conf.d`, or input of `source`. */
export function fishCompletion(commands: readonly CompletedCommand[]): string {
  return `# Completion of taskpipe for fish: task-load --completion fish > ~/.config/fish/conf.d/taskpipe.fish
${commands.map(linesOf).join('\n')}
`;
}

function linesOf({ name, options, kinds, verbs, takesFiles }: CompletedCommand): string {
  const complete = (...words: readonly string[]): string => ['complete', '-c', name, ...words].join(' ');
  const names = Object.keys(verbs);
  const seen = `__fish_seen_subcommand_from ${names.join(' ')}`;
  const noKind = `not __fish_contains_opt ${kinds.map((kind) => kind.slice(2)).join(' ')}`;
  return [
    complete('-e'),
    complete('-f'),
    ...Object.entries(verbs).map(([verb, words]) =>
      complete('-n', quote(`not ${seen}`), '-a', verb, '-d', quote(words)),
    ),
    ...options
      .filter(({ names: [first = ''] }) => kinds.includes(first))
      .map(({ names: [first = ''], words }) =>
        complete('-n', quote(noKind), '-a', `"${first}"`, '-d', quote(words)),
      ),
    ...(takesFiles ? [complete(...(names.length > 0 ? ['-n', quote(seen)] : []), '-F')] : []),
    ...options.map((option) => complete(...wordsOf(option))),
  ].join('\n');
}

function wordsOf({ names, words, placeholder, candidates }: CompletedOption): string[] {
  const flags = names.flatMap((name) =>
    name.startsWith('--') ? ['-l', name.slice(2)] : ['-s', name.slice(1)],
  );
  return [...flags, ...(placeholder === undefined ? [] : argumentOf(candidates)), '-d', quote(words)];
}

function argumentOf(candidates: CompletedOption['candidates']): string[] {
  if (candidates === 'file') return ['-r', '-F'];
  if (candidates === 'folder') return ['-x', '-a', quote('(__fish_complete_directories)')];
  return candidates === undefined ? ['-x'] : ['-x', '-a', quote(candidates.join(' '))];
}

function quote(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`;
}
