import { quote } from 'shlex';
import type { CompletedCommand, CompletedOption } from './completion-table.ts';

/**
 * Returns the script for bash from 3.2 on, the version of macOS; descriptions of options are shown from 4.0 on.
 */
export function bashCompletion(commands: readonly CompletedCommand[]): string {
  return `# Completion of taskpipe for bash; in ~/.bashrc: eval "$(task-load --completion bash)"
${commands.map(tableOf).join('\n')}
${ENGINE}
complete -F _taskpipe -o bashdefault -o default ${commands.map(({ name }) => name).join(' ')}
`;
}

/** Returns a shell function that answers questions about a command. */
function tableOf({ name, options, kinds, verbs, takesFiles }: CompletedCommand): string {
  const valued = options.filter(({ placeholder }) => placeholder !== undefined);
  const lists = [
    ['options', options.flatMap((option) => option.names.map((one) => [one, option.words] as const))],
    [
      'kinds',
      options.flatMap(({ names: [one = ''], words }) => (kinds.includes(one) ? [[one, words] as const] : [])),
    ],
    ['verbs', Object.entries(verbs)],
  ] as const;
  return `${functionOf(name)}() {
  case $1 in
${lists.map(([asked, pairs]) => `    ${asked}) ${offerOf(pairs)} ;;`).join('\n')}
    operands) ${takesFiles ? '_taskpipe_paths file' : `${functionOf(name)} options`} ;;
    is-kind) ${kinds.length === 0 ? 'return 1' : `case $2 in ${patternsOf(kinds)}) ;; *) return 1 ;; esac`} ;;
    takes-value) case $2 in ${patternsOf(valued.flatMap(({ names }) => names))}) ;; *) return 1 ;; esac ;;
    value)
      case $2 in
${valued
  .filter(({ candidates }) => candidates !== undefined)
  .map(argumentOf)
  .join('\n')}
      esac ;;
  esac
}`;
}

function functionOf(name: string): string {
  return `_taskpipe_${name.replaceAll('-', '_')}`;
}

function patternsOf(names: readonly string[]): string {
  return names.join(' | ');
}

function offerOf(pairs: readonly (readonly [string, string])[]): string {
  if (pairs.length === 0) return 'return 1';
  const width = Math.max(...pairs.map(([word]) => word.length));
  return `_taskpipe_offer ${width}${pairs.map(([word, words]) => ` \\\n      ${quote(word)} ${quote(words)}`).join('')}`;
}

function argumentOf({ names, candidates }: CompletedOption): string {
  const act =
    typeof candidates === 'string'
      ? `_taskpipe_paths ${candidates}`
      : offerOf((candidates ?? []).map((word) => [word, '']));
  return `        ${patternsOf(names)}) ${act} ;;`;
}

/*
 * bash splits words at `=`, so that `--format=csv` is three words. Paths are left to readline, which handles
 * quotes and tildes: `-o default` completes them if the script offers nothing, and is taken back if nothing
 * should be offered.
 */
const ENGINE = `# Offers words. Arguments: width of the widest word, then each word and its description. Descriptions are shown if bash
# lists the words (COMP_TYPE 63, a question mark), and are never inserted.
_taskpipe_offer() {
  local width=$1 line
  shift
  compopt +o default +o bashdefault 2>/dev/null
  while [[ $# -gt 0 ]]; do
    if [[ $1 == "$current"* ]]; then
      COMPREPLY+=("$1")
      if [[ \${COMP_TYPE-} == 63 && -n $2 ]]; then
        printf -v line '%-*s  (%s)' "$width" "$1" "$2"
        COMPREPLY[\${#COMPREPLY[@]}-1]=\${line:0:\${COLUMNS:-80}}
      fi
    fi
    shift 2
  done
  if [[ \${#COMPREPLY[@]} -eq 1 ]]; then COMPREPLY[0]=\${COMPREPLY[0]%%  *}; fi
}
_taskpipe_paths() {
  if [[ $1 == folder ]]; then compopt +o default +o bashdefault -o dirnames 2>/dev/null
  else compopt -o default 2>/dev/null; fi
}
_taskpipe() {
  local table=_taskpipe_\${1##*/} current=$2 operands=0 hasKind='' isOver='' i word
  table=\${table//-/_}
  COMPREPLY=()
  if [[ $current == = ]]; then current=''; fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    word=\${COMP_WORDS[i]}
    if [[ -n $isOver || $word != -?* ]]; then operands=$((operands + 1)); continue; fi
    if [[ $word == -- ]]; then isOver=yes; continue; fi
    "$table" is-kind "$word" && hasKind=yes
    if "$table" takes-value "$word"; then
      [[ \${COMP_WORDS[i+1]} == = ]] && i=$((i + 1))
      i=$((i + 1))
      if [[ $i -ge $COMP_CWORD ]]; then
        compopt +o default +o bashdefault 2>/dev/null
        "$table" value "$word"
        return
      fi
    fi
  done
  if [[ -z $isOver && $current == -* ]]; then "$table" options
  elif [[ -z $hasKind && -z $isOver ]] && "$table" kinds; then :
  elif [[ $operands -eq 0 ]] && "$table" verbs; then :
  else compopt +o default +o bashdefault 2>/dev/null; "$table" operands; fi
}`;
