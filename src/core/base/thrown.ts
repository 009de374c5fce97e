/*
 * Reads the values that user code throws. Any value can be thrown: a Proxy, an object with throwing getters, an
 * object without a prototype. Nothing here throws.
 */

import { types } from 'node:util';

/** Parts of a thrown value that a failure needs. */
export interface Thrown {
  /** The `code` of the value if that is a string, else `ERROR`. */
  readonly code: string;
  /** Its message, followed by the messages of its causes. */
  readonly message: string;
  /** Its stack and those of its causes; undefined if it has none. */
  readonly stack: string | undefined;
  /** True if it asks for another attempt: `retry` is true. */
  readonly retry: boolean;
}

/** Maximum number of causes, and of errors of an `AggregateError`, in a message. */
const MOST = 8;

/** Longest message and stack, in characters. */
const LONGEST = 64 * 1024;

/** Longest code, and longest JSON of a thrown object, in characters. */
const SHORT = 200;

/** Reads a thrown value. */
export function thrownOf(value: unknown): Thrown {
  silence(value);
  const code = read(value, 'code');
  return {
    code: typeof code === 'string' && code !== '' ? cut(code, SHORT) : 'ERROR',
    message: cut(reasonsOf(value).join(': '), LONGEST),
    stack: stackOf(value),
    retry: read(value, 'retry') === true,
  };
}

/** Marks a promise as handled: otherwise the promise of a failed task would also count as an uncaught error. */
export function silence(value: unknown): void {
  if (types.isPromise(value)) waitFor(value).catch(() => {});
}

/** Waits for a promise, whatever its `then` and `constructor` are. */
async function waitFor(promise: Promise<unknown>): Promise<void> {
  await promise;
}

/** Returns the message of a thrown value, without its causes. */
export function ownMessage(value: unknown): string {
  const message = read(value, 'message');
  if (typeof message === 'string' && message !== '') return message;
  if (message !== undefined && message !== null && message !== '') return textOf(message);
  return message === '' ? nameOf(value) : textOf(value);
}

/** Returns true if a value is of a class; false if this cannot be determined. */
export function isA<T>(value: unknown, type: abstract new (...args: never[]) => T): value is T {
  try {
    return value instanceof type;
  } catch {
    return false; // a proxy
  }
}

/** Returns a member of anything; undefined if there is none, or if it cannot be read. */
function read(value: unknown, name: string): unknown {
  try {
    return (value as Readonly<Record<string, unknown>> | null | undefined)?.[name];
  } catch {
    return undefined;
  }
}

/** Returns the messages of a value and its causes. Leaves out those that an earlier message contains. */
function reasonsOf(value: unknown): string[] {
  const reasons: string[] = [];
  for (const one of chainOf(value)) {
    const errors = errorsOf(one);
    const hasOwn = errors.length === 0 || read(one, 'message') !== '';
    const inner = errors.map((error) => reasonsOf(error).join(': ')).join('; ');
    for (const reason of [...(hasOwn ? [ownMessage(one)] : []), inner])
      if (reason !== '' && !reasons.some((said) => said.includes(reason))) reasons.push(reason);
  }
  return reasons;
}

/** Returns a value and its causes, at most `MOST` of them. */
function chainOf(value: unknown): unknown[] {
  const chain: unknown[] = [value];
  for (let at = read(value, 'cause'); at !== undefined && at !== null; at = read(at, 'cause')) {
    if (chain.length >= MOST || chain.includes(at)) break;
    chain.push(at);
  }
  return chain;
}

/** Returns the errors of an `AggregateError`, unless these contain further errors. */
function errorsOf(value: unknown): unknown[] {
  const errors = read(value, 'errors');
  if (read(value, 'stack') === undefined) return [];
  try {
    const some = Array.isArray(errors) ? errors.slice(0, MOST) : [];
    return some.filter((error) => read(error, 'errors') === undefined);
  } catch {
    return [];
  }
}

function stackOf(value: unknown): string | undefined {
  const stacks = chainOf(value)
    .map((one) => read(one, 'stack'))
    .filter((stack) => typeof stack === 'string');
  return stacks.length === 0 ? undefined : cut(stacks.join('\nCaused by: '), LONGEST);
}

function nameOf(value: unknown): string {
  const name = read(value, 'name');
  return typeof name === 'string' && name !== '' ? name : 'an error without a message';
}

/** Returns any value as text: objects as JSON. */
function textOf(value: unknown): string {
  try {
    if (typeof value === 'object' && value !== null) {
      const json = JSON.stringify(value);
      if (json !== undefined && json !== '{}') return cut(json, SHORT);
    }
    const text = String(value);
    return text === '' ? 'an empty text' : cut(text, LONGEST);
  } catch {
    return 'a value that cannot be shown';
  }
}

function cut(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most)}…`;
}
