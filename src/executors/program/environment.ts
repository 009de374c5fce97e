import { InvalidValue } from '../../core/options/option.ts';
import type { Failure, Task } from '../../core/record/task.ts';
import { nameOfBase64 } from '../../core/text/byte-text.ts';
import { programText } from './placeholders.ts';

export type Environment = Readonly<Record<string, string>>;

/** Variables that every child gets. Others must be requested, because secrets are often in variables. */
const PASSED = /^(PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_\w+|TZ|TERM|TMPDIR)$/;

/**
 * Checks a value of `--env`: `NAME`, `NAME=VALUE`, or a prefix with a star such as `AWS_*`.
 * @throws {InvalidValue}
 */
export function toVariable(typed: string): string {
  if (!/^([A-Za-z_]\w*(=.*|\*)?|\*)$/s.test(typed) || typed.includes('\0'))
    throw new InvalidValue('must be NAME, NAME=VALUE, or a prefix and a star such as AWS_*');
  return typed;
}

/**
 * Returns the environment of children, without the variables of a task. Our own options (`TASK_…`) are never passed
 * on.
 */
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

/** Longest attribute that becomes a variable if the command does not name it, in characters. */
const LONG = 16 * 1024;

/**
 * Function that returns the variables of a task for a shell: `TASK_` and the name of an attribute, with `_` for
 * everything but letters and digits.
 */
export interface Variables {
  /** @returns a failure `TEMPLATE` if the command names an attribute that the record does not have */
  of(task: Task): Environment | Failure;
}

/** Names of the variables in every command. */
const OWN = /^(UUID|NUMBER|SLOT)$/;

/** @param command text for the shell */
export function variablesFor(command: string): Variables {
  const named = new Set([...command.matchAll(/TASK_(\w+)/g)].map(([, name]) => name as string));
  // With a default, such as ${TASK_name:-none}, it may be missing.
  const needed = [...command.matchAll(/\$(?:TASK_(\w+)|\{TASK_(\w+)\})/g)].map(
    ([, a, b]) => (a ?? b) as string,
  );
  return {
    of(task) {
      const made: Record<string, string> = {};
      for (const key of attributesOf(task)) {
        const name = key.replace(/\W/g, '_');
        const value = key === 'run' ? undefined : programText(task, key);
        if (value === undefined || `TASK_${name}` in made) continue;
        if (value.length <= LONG || named.has(name)) made[`TASK_${name}`] = value;
      }
      const missing = needed.find((name) => !OWN.test(name) && !(`TASK_${name}` in made));
      if (missing === undefined) return made;
      return {
        code: 'TEMPLATE',
        message: `the command needs $TASK_${missing}, which the record does not have`,
      };
    },
  };
}

/** Returns the names of the attributes of a task, including those that exist only as base64. */
function attributesOf({ fields }: Task): string[] {
  const keys = Object.keys(fields);
  return keys.concat(keys.flatMap((key) => nameOfBase64(key) ?? []));
}
