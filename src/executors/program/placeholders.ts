import { posix } from 'node:path';
import type { Task } from '../../core/record/task.ts';
import { attributeText } from '../../core/record/template.ts';
import { base64Text } from '../../core/text/byte-text.ts';

/** Position of a run among the others. */
export interface Turn {
  /** Number of the task in the input, from 1. */
  readonly number: number;
  /** Number of the lane, from 1 to the number of jobs: no two running commands have the same. */
  readonly slot: number;
}

/** Parts of a path, by the sign that follows the name of an attribute, as in GNU parallel. */
const PARTS: Readonly<Record<string, (path: string) => string>> = {
  '.': withoutEnding,
  '/': (path) => posix.basename(path),
  '//': (path) => posix.dirname(path).replace(/(?<=[^/])\/+$/, ''), // the folder of a//b is a
  '/.': (path) => withoutEnding(posix.basename(path)),
};

/** Returns a path without its file name extension. A path that ends with a slash has no extension. */
function withoutEnding(path: string): string {
  if (path.endsWith('/')) return path;
  return path.slice(0, path.length - posix.extname(path).length);
}

/** Returns an attribute as a program gets it. If it is not UTF-8, its base64 is decoded. */
export function programText(task: Task, name: string): string | undefined {
  return base64Text(task.fields, name) ?? attributeText(task, name);
}

/**
 * Returns the text for a placeholder: an attribute, a part of an attribute that is a path (`file/`), the number of
 * the task (`#`) or the lane (`%`). An attribute with exactly that name takes precedence.
 */
export function placeholderText(task: Task, name: string, turn: Turn): string | undefined {
  const whole = programText(task, name);
  if (whole !== undefined) return whole;
  if (name === '#') return String(turn.number);
  if (name === '%') return String(turn.slot);
  const [, attribute = '', sign = ''] = /^(.+?)(\/\.|\/\/|\/|\.)$/.exec(name) ?? [];
  const path = attribute === '' ? undefined : programText(task, attribute);
  return path === undefined ? undefined : PARTS[sign]?.(path);
}

/** Numbers of lanes, the lowest free one first. */
export class Lanes {
  readonly #taken: boolean[] = [];

  take(): number {
    const free = this.#taken.indexOf(false);
    const index = free < 0 ? this.#taken.length : free;
    this.#taken[index] = true;
    return index + 1;
  }

  give(number: number): void {
    this.#taken[number - 1] = false;
  }
}
