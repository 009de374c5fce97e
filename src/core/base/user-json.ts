/*
 * The rule for values that user code returns: a value that JSON keeps is a result; any other value is a failure
 * that names its type. JSON.stringify alone turns a Map, a promise or an error into `{}`, and NaN into null.
 */
import { types } from 'node:util';
import { ownMessage, silence } from './thrown.ts';

/** Maximum nesting of a value. Inside a record it must stay within the limit of `readTasks`. */
export const MAX_LEVELS = 60;

/** JSON of a value (undefined for undefined), or a description of a value that JSON cannot keep. */
export type UserJson =
  | { readonly text: string | undefined; readonly fault?: undefined }
  | { readonly fault: string; readonly text?: undefined };

/** Part of a value that JSON does not keep. */
interface Fault {
  readonly what: string;
  /** Place of the part in the value, as in `.prices[3]`. */
  readonly path: string;
}

const TOO_DEEP: Fault = { what: 'too deep', path: '' };

/** Suggestions for values that are often returned by mistake, by the name of their type. */
const HINTS: Readonly<Record<string, string>> = {
  Map: 'Object.fromEntries(map) gives an object',
  Set: '[...set] gives an array',
  Promise: 'await it first',
  AsyncFunction: 'call it first',
  Function: 'call it first',
  Response: 'await its json() or text()',
  Error: 'throw it instead',
  BigInt: 'String(value) keeps its digits',
};

/** Returns the JSON of a value that user code made. It never throws. */
export function userJson(value: unknown, levels: number = MAX_LEVELS): UserJson {
  try {
    const fault = faultOf(value, levels);
    if (fault === TOO_DEEP)
      return { fault: isCircular(value) ? 'a circular structure' : `nested over ${levels} levels` };
    return fault === undefined ? { text: JSON.stringify(value) } : { fault: said(fault) };
  } catch (error) {
    const why = ownMessage(error);
    if (why === 'Invalid string length') return { fault: 'longer than a text can be' };
    return { fault: `it cannot be read: ${why.split('\n')[0]}` };
  }
}

function said({ what, path }: Fault): string {
  const hint = Object.hasOwn(HINTS, what) ? ` (${HINTS[what]})` : '';
  const place = path === '' ? '' : ` at ${path.replace(/^\./, '')}`;
  const article = /^(NaN|-?Infinity)/.test(what) ? '' : /^([aeio]|un)/i.test(what) ? 'an ' : 'a ';
  return `${article}${what}${place}${hint}`;
}

/** Returns the part of a value that JSON does not keep; undefined if JSON keeps all of it. */
function faultOf(value: unknown, levels: number): Fault | undefined {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return undefined;
    case 'number':
      return Number.isFinite(value) ? undefined : { what: String(value), path: '' };
    case 'object':
      return value === null ? undefined : objectFault(value, levels);
    default: {
      const { toJSON } = value as { toJSON?: unknown };
      if (typeof toJSON === 'function') return madeFault(toJSON.call(value, ''), levels - 1);
      return { what: typeOf(value), path: '' };
    }
  }
}

function objectFault(value: object, levels: number): Fault | undefined {
  if (levels === 0) return TOO_DEEP;
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') {
    if (types.isDate(value) && Number.isNaN(value.getTime())) return { what: 'invalid Date', path: '' };
    return madeFault(toJSON.call(value, ''), levels - 1);
  }
  return membersFault(value, levels);
}

/** Returns the fault of what `toJSON` returned. JSON does not call its `toJSON` again. */
function madeFault(made: unknown, levels: number): Fault | undefined {
  return typeof made === 'object' && made !== null ? membersFault(made, levels) : faultOf(made, levels);
}

function membersFault(value: object, levels: number): Fault | undefined {
  if (levels === 0) return TOO_DEEP;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const fault = faultOf(value[i], levels - 1);
      if (fault !== undefined) return within(`[${i}]`, fault);
    }
    return undefined;
  }
  const names = Object.keys(value);
  const lost = isPlain(value) ? undefined : lossOf(value, names);
  if (lost !== undefined) return { what: lost, path: '' };
  for (const name of names) {
    const fault = faultOf((value as Readonly<Record<string, unknown>>)[name], levels - 1);
    if (fault !== undefined) return within(`.${name}`, fault);
  }
  return undefined;
}

/** Returns true if a value that is nested too deep contains itself. */
function isCircular(value: unknown): boolean {
  try {
    JSON.stringify(value);
    return false;
  } catch (error) {
    return ownMessage(error).includes('circular');
  }
}

function within(place: string, fault: Fault): Fault {
  if (fault === TOO_DEEP) return fault;
  const { what, path } = fault;
  return { what, path: place + path };
}

/** Returns true for `{…}`, also one of another realm, and for an object without a prototype. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** Returns the type of an object whose content is not in its own members; undefined if it is. */
function lossOf(value: object, names: readonly string[]): string | undefined {
  if (types.isBoxedPrimitive(value)) return undefined; // JSON unwraps it
  if (types.isNativeError(value)) return 'Error';
  silence(value);
  const isSpecial = Object.prototype.toString.call(value) !== '[object Object]';
  if (!isSpecial && names.length > 0) return undefined;
  return isSpecial ? typeOf(value) : `${typeOf(value)} without members`;
}

/** Returns the name of the class of a value, else the name of its type in the language. */
function typeOf(value: unknown): string {
  if (typeof value === 'bigint') return 'BigInt';
  const { name } = ((value as object).constructor ?? {}) as { name?: unknown };
  if (typeof name === 'string' && name !== '') return name;
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}
