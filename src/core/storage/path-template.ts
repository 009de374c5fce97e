import { InvalidValue } from '../options/option.ts';
import type { Failure, Task } from '../record/task.ts';
import { attributeText, type Template } from '../record/template.ts';

/** Rules for the paths of an option. */
export interface PathRules {
  /** Name of the option, as in `--results`. */
  readonly option: string;
  /** Failure code of a task without a usable path. */
  readonly code: string;
  /** Returns a value as part of a file name; default `asName`. @throws {InvalidValue} if it cannot be part of one */
  readonly encode?: (value: string) => string;
  /** Returns the text for a name. Default: the attribute. */
  readonly lookUp?: ((task: Task, name: string) => string | undefined) | undefined;
}

/**
 * Returns the path for a task. No value can make a part of the path empty, `.` or `..`: these lead to another folder.
 */
export function pathFor(template: Template, task: Task, rules: PathRules): string | Failure {
  const { option, code, encode = asName, lookUp = attributeText } = rules;
  let latest = '';
  const find = (of: Task, name: string): string | undefined => {
    latest = name;
    return lookUp(of, name);
  };
  const failure = (message: string): Failure => ({ code, message: `${option} ${message}` });
  let path: string | Failure;
  try {
    path = template.expand(task, encode, find);
  } catch (error) {
    if (error instanceof InvalidValue)
      return failure(`cannot name a file after {${latest}}, which ${error.message}`);
    throw error;
  }
  if (typeof path !== 'string') return path;
  if (path.includes('\0') || /(^|\/)\.{0,2}$/.test(path))
    return failure(`gives no file name: ${JSON.stringify(path)}`);
  if (!/(^|\/)\.{0,2}\//.test(path)) return path;
  const typed = String(template.expand(task, () => 'x', lookUp)).split('/');
  const isOfValue = (part: string, i: number): boolean => /^\.{0,2}$/.test(part) && part !== typed[i];
  if (!path.split('/').some(isOfValue)) return path;
  return failure(`gives no name for a folder: ${JSON.stringify(path)}`);
}

/** Returns a value as part of a file name: it cannot lead to another folder. */
export function asName(value: string): string {
  return value.replace(/[%/]/g, encodeURIComponent);
}

/** Longest name of a file or folder, in bytes, on all usual file systems. */
const MAX_NAME = 255;

/**
 * Returns a value as part of the name of a file that people open: also without control characters, backslashes or a
 * leading dot. Different values give different names.
 * @throws {InvalidValue} if it is empty, too long, or not valid text
 */
export function asPlainName(value: string): string {
  if (value === '') throw new InvalidValue('is empty');
  if (!value.isWellFormed()) throw new InvalidValue('has half of a surrogate pair');
  const name = value.replace(/[%/\\\x00-\x1f\x7f]|^\./g, percent);
  if (Buffer.byteLength(name) > MAX_NAME) throw new InvalidValue(`has more than ${MAX_NAME} bytes`);
  return name;
}

function percent(character: string): string {
  return `%${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, '0')}`;
}
