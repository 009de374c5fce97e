import { InvalidValue } from '../../core/options/option.ts';
import type { Failure, Task } from '../../core/record/task.ts';
import type { Template } from '../../core/record/template.ts';
import { placeholderText, type Turn } from './placeholders.ts';

/** End of the name of a placeholder that stands for the values of all tasks of a batch, as in `{url...}`. */
const ALL = '...';

/** Batches of a command. */
export interface BatchNames {
  /** Maximum number of tasks of one call; undefined if each call is for one task. */
  readonly batch?: number | undefined;
  /** Attribute that has the same value in all tasks of a batch. */
  readonly batchBy?: string | undefined;
}

/** Checks the placeholders of a command. @throws {InvalidValue} if one does not fit its batches */
export function checkBatchNames(words: readonly Template[], { batch, batchBy }: BatchNames): void {
  for (const name of words.flatMap(({ names }) => names)) {
    const plain = name.endsWith(ALL) ? name.slice(0, -ALL.length) : name;
    if (batch === undefined && plain !== name)
      throw new InvalidValue(
        `must write {${plain}}: {${name}} is the values of a batch and needs --batch, such as --batch 100`,
      );
    if (batch === undefined || plain !== name || /^[#%]$/.test(name) || name === batchBy) continue;
    throw new InvalidValue(
      `must not have {${name}} with --batch, which has a value for each task: write {${name}${ALL}} for all of them, or put tasks together by it: --batch-by ${name}`,
    );
  }
}

/** Names of the variables in a call for several tasks. */
const OF_CALLS = /^(NUMBER|SLOT|BATCH_SIZE)$/;

/** Checks the variables of a shell. @throws {InvalidValue} if one does not fit its batches */
export function checkBatchVariables(script: string, { batch, batchBy }: BatchNames): void {
  if (batch === undefined) return;
  const shared = batchBy?.replace(/\W/g, '_');
  for (const [variable, name = ''] of script.matchAll(/TASK_(\w+)/g)) {
    if (name === shared || OF_CALLS.test(name)) continue;
    throw new InvalidValue(
      `must not have $${variable} with --batch, which has a value for each task: read the records from stdin, or put tasks together by it: --batch-by ${name}`,
    );
  }
}

/** Returns the words of a call for several tasks: a word with `{name...}` is repeated for each of them. */
export function batchWords(
  words: readonly Template[],
  tasks: readonly Task[],
  turn: Turn,
): string[] | Failure {
  const lookUp = (of: Task, name: string): string | undefined =>
    placeholderText(of, name.endsWith(ALL) ? name.slice(0, -ALL.length) : name, turn);
  const filled: string[] = [];
  for (const word of words) {
    const of = word.names.some((name) => name.endsWith(ALL)) ? tasks : tasks.slice(0, 1);
    for (const task of of) {
      const text = word.expand(task, undefined, lookUp);
      if (typeof text !== 'string') return text;
      filled.push(text);
    }
  }
  return filled;
}
