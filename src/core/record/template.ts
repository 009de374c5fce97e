import { InvalidValue } from '../options/option.ts';
import { membersOf } from './json-text.ts';
import { attribute, type Failure, type Fields, type Task } from './task.ts';

/** Compiled text with attributes of a task in it, as in `https://h/{id}`. */
export interface Template {
  /** Names of its attributes, in order. */
  readonly names: readonly string[];
  /** Text before the first attribute. */
  readonly start: string;
  /**
   * Returns the text for one task. Strings are inserted without quotes; numbers, objects and arrays as they
   * are written in the record.
   * @param encode applied to each value, not to the text between values
   * @param lookUp returns the text for a name. Default: the attribute
   * @returns the text, or a failure `TEMPLATE` if an attribute is missing or null
   */
  expand(
    task: Task,
    encode?: (value: string) => string,
    lookUp?: (task: Task, name: string) => string | undefined,
  ): string | Failure;
}

/**
 * Compiles a template. `{name}` is an attribute. `{a.b}` is the attribute `a.b`, or if there is none the
 * member `b` of the object `a`. `{{` and `}}` are literal braces.
 * @throws {InvalidValue} if a brace is not closed or has no name in it
 */
export function compileTemplate(source: string): Template {
  const names: string[] = [];
  /** Texts before each name, and last the text after all of them. */
  const between: string[] = [''];
  const tokens = source.matchAll(/\{\{|\}\}|\{([^{}]*)\}|\{|[^{}]+|\}/g);
  for (const [token = '', name] of tokens) {
    if (token === '{' || name?.trim() === '')
      throw new InvalidValue('must have a name in each pair of braces, as in {id}; {{ is a brace itself');
    if (name !== undefined) {
      names.push(name.trim());
      between.push('');
    } else between[between.length - 1] += token === '{{' || token === '}}' ? token.slice(1) : token;
  }
  return {
    names,
    start: between[0] as string,
    expand(task, encode = (value) => value, lookUp = attributeText) {
      let text = between[0] as string;
      for (let i = 0; i < names.length; i++) {
        const name = names[i] as string;
        const value = lookUp(task, name);
        if (value === undefined)
          return {
            code: 'TEMPLATE',
            message: `the template needs {${name}}, which the record does not have`,
          };
        text += encode(value) + between[i + 1];
      }
      return text;
    },
  };
}

/**
 * Returns an attribute as text, with the digits that it has in the record; undefined if it is missing or
 * null.
 * @param name an attribute, or a path with dots into objects
 */
export function attributeText(task: Task, name: string): string | undefined {
  const { fields } = task;
  if (Object.hasOwn(fields, name) || !name.includes('.')) return textOf(fields, name, () => task.line);
  const path = name.split('.');
  const last = path.pop() as string;
  let inner: unknown = fields;
  for (const key of path) inner = isObject(inner) ? attribute(inner, key) : undefined;
  if (!isObject(inner)) return undefined;
  const outer = (): string => path.reduce((text, key) => rawMember(text, key) ?? '{}', task.line);
  return textOf(inner, last, outer);
}

/** @param outer returns the text of the object that `fields` was parsed from */
function textOf(fields: Fields, name: string, outer: () => string): string | undefined {
  const value = attribute(fields, name);
  if (typeof value === 'string') return value;
  return value === undefined || value === null ? undefined : rawMember(outer(), name);
}

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Returns the value of a member as it is written in an object's text; undefined if there is no such member.
 * The last of duplicate names wins, as with `JSON.parse`.
 * @param text text of an object that `JSON.parse` accepts
 */
export function rawMember(text: string, key: string): string | undefined {
  const member = membersOf(text).findLast((one) => one.key === key);
  return member === undefined ? undefined : text.slice(member.value, member.end);
}
