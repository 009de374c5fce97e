import type { LeafValues, Shape } from './json-shape.ts';
import { withoutMembers } from './json-text.ts';

/** The attributes of a record. They come from outside: read one with `attribute()`, never by a bare `[name]`. */
export type Fields = Readonly<Record<string, unknown>>;

/** How work on a task can end, as TaskFlow names it; `PENDING` is read, but not finished. */
export type State = 'SUCCESS' | 'FAILURE' | 'PENDING' | 'REVERTED' | 'REVERT_FAILURE';

/** Why a task failed. */
export interface Failure {
  /** A constant, as in `HTTP_STATUS`. */
  readonly code: string;
  /** For a person. */
  readonly message: string;
}

/** The `run` of a record: how the work on it went. */
export interface Run {
  readonly state: State;
  /** The key that the result stands under. */
  readonly as: string;
  readonly attempts: number;
  /** When the first attempt began, ISO 8601 in UTC. */
  readonly at: string;
  /** From then to the end, in milliseconds. */
  readonly ms: number;
  readonly error?: Failure;
}

/**
 * One task record. It keeps the text that it came in; a stage that adds to it splices into that text, so that what
 * the stage does not own keeps its bytes.
 */
export class Task {
  /** What identifies it. */
  readonly uuid: string;
  /** The record as JSON text on one line, `{` first and `}` last, without a newline. */
  readonly line: string;
  /** What the line looks like, where it was read by that; its values are then in `values`. */
  readonly shape: Shape | undefined;
  readonly values: LeafValues | undefined;
  #fields: Fields | undefined;

  /** @param fields the record, where it was parsed already */
  constructor(uuid: string, line: string, fields?: Fields, shape?: Shape, values?: LeafValues) {
    this.uuid = uuid;
    this.line = line;
    this.shape = shape;
    this.values = values;
    this.#fields = fields;
  }

  /** The record, parsed when it is first asked for. */
  get fields(): Fields {
    this.#fields ??= this.#shaped() ?? (JSON.parse(this.line) as Fields);
    return this.#fields;
  }

  /** A copy of the record that the caller may change. */
  copy(): Record<string, unknown> {
    return this.#shaped() ?? { ...this.fields };
  }

  #shaped(): Record<string, unknown> | undefined {
    return this.shape?.fields(this.values as LeafValues);
  }

  /** Whether the record has an attribute. */
  has(name: string): boolean {
    return this.shape?.has(name) ?? Object.hasOwn(this.fields, name);
  }
}

/** The value of an attribute, or undefined. `__proto__` and `constructor` are plain data. */
export function attribute(fields: Fields, name: string): unknown {
  const value = fields[name]; // first, as most ask for what is not there, and the other look is slow
  return value === undefined || !Object.hasOwn(fields, name) ? undefined : value;
}

/** The `run` that a record carries, where it has the form of one. */
export function runOf(fields: Fields): Run | undefined {
  const run = attribute(fields, 'run');
  if (typeof run !== 'object' || run === null) return undefined;
  return typeof (run as Run).state === 'string' ? (run as Run) : undefined;
}

/** The `run.state` that a task carries; undefined where it has no `run`. */
export function stateOf(task: Task): string | undefined {
  const { shape, values } = task;
  if (shape === undefined) return runOf(task.fields)?.state;
  return shape.state === 0 ? undefined : values?.[shape.state];
}

/** Whether a task arrives as one that is not to be run: it failed before, or was taken back. */
export function isSettled(task: Task): boolean {
  const state = stateOf(task);
  return state !== undefined && state !== 'SUCCESS' && state !== 'PENDING';
}

/**
 * A task with what its work gave: the result under `run.as`, and `run`. An earlier `run`, and an earlier value under
 * that key, are left out; all else keeps its bytes.
 * @param result JSON text on one line, or undefined where there is none
 */
export function withOutcome(task: Task, run: Run, result: string | undefined): Task {
  const clean =
    task.has('run') || task.has(run.as)
      ? withoutMembers(task.line, (key) => key === 'run' || key === run.as)
      : task.line;
  const open = clean.slice(0, -1);
  const added = result === undefined ? '' : `,${JSON.stringify(run.as)}:${result}`;
  return new Task(task.uuid, open + added + runTail(run));
}

/** A task with another `run`, or with none. All else keeps its bytes. */
export function withRun({ uuid, line }: Task, run: Run | undefined): Task {
  const clean = withoutMembers(line, (key) => key === 'run');
  // A run that came from outside may lack anything.
  return new Task(uuid, run === undefined ? clean : `${clean.slice(0, -1)},"run":${JSON.stringify(run)}}`);
}

let lastRun: Run | undefined;
let lastTail = '';

/** The end of a record, from its `run`. Of tasks that take no time, hundreds in a row have the same. */
function runTail(run: Run): string {
  if (lastRun === undefined || !isSame(run, lastRun)) {
    lastRun = run;
    lastTail = `,"run":${JSON.stringify(run)}}`;
  }
  return lastTail;
}

function isSame(a: Run, b: Run): boolean {
  const isSameTime = a.ms === b.ms && a.at === b.at && a.attempts === b.attempts;
  return isSameTime && a.state === b.state && a.as === b.as && a.error === b.error;
}

const FORBIDDEN = /\p{Cc}/u;

/** Whether there is nothing but printable ASCII: in a uuid, told faster than by an expression. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

/** Why a value can't be a uuid, or undefined where it can: a string of 1 to 256 bytes without control characters. */
export function uuidFault(value: unknown): string | undefined {
  if (value === undefined) return 'it has no "uuid"';
  if (typeof value !== 'string') return '"uuid" is not a string';
  if (value === '') return '"uuid" is empty';
  if (value.length > 64 && Buffer.byteLength(value) > 256) return '"uuid" is longer than 256 bytes';
  if (!isPlain(value) && FORBIDDEN.test(value)) return '"uuid" has a control character';
  return value.isWellFormed() ? undefined : '"uuid" has half of a surrogate pair';
}

let lastTime = Number.NaN;
let lastStamp = '';

/**
 * A time in ISO 8601, as `run.at` has it. Thousands of tasks share a millisecond.
 * @param time milliseconds, as of `Date.now()`
 */
export function timestamp(time: number): string {
  if (time !== lastTime) {
    lastTime = time;
    lastStamp = new Date(time).toISOString();
  }
  return lastStamp;
}
