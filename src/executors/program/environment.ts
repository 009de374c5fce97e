import { InvalidValue } from '../../core/options/option.ts';
import type { Failure, Task } from '../../core/record/task.ts';
import { attributeText } from '../../core/record/template.ts';

export type Environment = Readonly<Record<string, string>>;

/** What every child gets of our environment. Secrets are often variables, so the rest has to be asked for. */
const PASSED = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TERM|TMPDIR)$/;

/**
 * Checks a value of `--env`: `NAME`, `NAME=VALUE`, or a beginning of names and a star, as in `AWS_*`.
 * @throws {Rule}
 */
export function toVariable(typed: string): string {
  if (!/^([A-Za-z_]\w*(=.*|\*)?|\*)$/s.test(typed) || typed.includes('\0'))
    throw new InvalidValue('must be NAME, NAME=VALUE, or a beginning and a star as in AWS_*');
  return typed;
}

/** The environment of children, but for what belongs to a task. Options of ours (`TASK_…`) are never in it. */
export function childEnvironment(
  env: Readonly<Record<string, string | undefined>>,
  asked: readonly string[] = [],
): Environment {
  const made: Record<string, string> = {};
  const starts = asked.filter((one) => /^\w*\*$/.test(one)).map((one) => one.slice(0, -1));
  for (const [name, value] of Object.entries(env)) {
    const isAsked = asked.includes(name) || starts.some((start) => name.startsWith(start));
    if (value !== undefined && !name.startsWith('TASK_') && (isAsked || PASSED.test(name)))
      made[name] = value;
  }
  for (const one of asked) {
    const at = one.indexOf('=');
    if (at > 0) made[one.slice(0, at)] = one.slice(at + 1);
  }
  return made;
}

/** The longest attribute that becomes a variable where the command does not name it, in characters. */
const LONG = 16 * 1024;

/** Makes the variables of a task for a shell: `TASK_` and the name, other characters than letters and digits as `_`. */
export interface Variables {
  /** @returns a failure `TEMPLATE` where the command names an attribute that the record does not have */
  of(task: Task): Environment | Failure;
}

/** @param command the text that a shell is given */
export function variablesFor(command: string): Variables {
  const named = new Set([...command.matchAll(/TASK_(\w+)/g)].map(([, name]) => name as string));
  // With a default, as in ${TASK_name:-none}, it may be missing.
  const needed = [...command.matchAll(/\$(?:TASK_(\w+)|\{TASK_(\w+)\})/g)].map(
    ([, a, b]) => (a ?? b) as string,
  );
  return {
    of(task) {
      const made: Record<string, string> = {};
      for (const key of Object.keys(task.fields)) {
        const name = key.replace(/\W/g, '_');
        const value = key === 'run' ? undefined : attributeText(task, key);
        if (value === undefined || `TASK_${name}` in made) continue;
        if (value.length <= LONG || named.has(name)) made[`TASK_${name}`] = value;
      }
      const missing = needed.find((name) => name !== 'UUID' && !(`TASK_${name}` in made));
      if (missing === undefined) return made;
      return {
        code: 'TEMPLATE',
        message: `the command needs $TASK_${missing}, which the record does not have`,
      };
    },
  };
}
