import { InvalidValue } from '../../../core/options/option.ts';
import type { Failure, Task } from '../../../core/record/task.ts';
import { compileTemplate } from '../../../core/record/template.ts';
import { programText } from '../../program/placeholders.ts';

/**
 * Returns the function that makes the path of a file from a template. A value at its start is inserted unchanged.
 * Other values may contain folders, but cannot leave the folder of the template.
 * @param option name of the option, for messages
 * @throws {InvalidValue} if the template is invalid
 */
export function compilePath(source: string, option: string): (task: Task) => string | Failure {
  const template = compileTemplate(source);
  return (task) => {
    let isFirst = template.start === '';
    const encode = (value: string): string => {
      const isWhole = isFirst;
      isFirst = false;
      return isWhole ? value : inside(value);
    };
    try {
      const path = template.expand(task, encode, programText);
      if (typeof path !== 'string') return path;
      if (path === '') throw new InvalidValue('is empty');
      if (path.includes('\0')) throw new InvalidValue('has a NUL');
      return path;
    } catch (error) {
      if (!(error instanceof InvalidValue)) throw error;
      return { code: 'TEMPLATE', message: `the path of ${option} ${error.message}` };
    }
  };
}

function inside(value: string): string {
  if (!value.split('/').includes('..')) return value;
  throw new InvalidValue('has the step ".." in a value, which leads out of its folder');
}
