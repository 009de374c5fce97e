import type { WrittenBlock, WrittenRow } from '../simd/written-block.ts';
import type { LeafValues, Shape } from './json-shape.ts';
import { withoutMembers } from './json-text.ts';

/** Attributes of a record. They are external data: read them with `attribute()`, never with a bare `[name]`. */
export type Fields = Readonly<Record<string, unknown>>;

/** Outcomes of a task, named as in TaskFlow. A `PENDING` task was read, but is not finished. */
export type State = 'SUCCESS' | 'FAILURE' | 'PENDING' | 'REVERTED' | 'REVERT_FAILURE';

/** Reason a task failed. */
export interface Failure {
  /** Constant, as in `HTTP_STATUS`. */
  readonly code: string;
  /** Text for a person. */
  readonly message: string;
}

/** Outcome, attempts and times of the work on a task: the `run` of its record. */
export interface Run {
  readonly state: State;
  /** Key of the result in the record. */
  readonly as: string;
  readonly attempts: number;
  /** Start of the first attempt, ISO 8601 in UTC. */
  readonly at: string;
  /** Duration from then to the end, in milliseconds. */
  readonly ms: number;
  readonly error?: Failure;
}

/**
 * One task record. It keeps its original text. A stage that adds to the record splices into that text, so
 * that members that the stage does not own keep their bytes.
 */
export class Task {
  readonly uuid: string;
  /** Shape by which the line was read, if it was. */
  readonly shape: Shape | undefined;
  /** Row of the task, if it was written when the task was read. */
  readonly written: WrittenRow | undefined;
  #line: string | undefined;
  #values: LeafValues | undefined;
  #fields: Fields | undefined;

  /**
   * @param line undefined if it is in `written`
   * @param fields the record, if it is parsed already
   * @param values values of its shape, if they were read with the line
   */
  constructor(
    uuid: string,
    line: string | undefined,
    fields?: Fields,
    shape?: Shape,
    values?: LeafValues,
    written?: WrittenRow,
  ) {
    this.uuid = uuid;
    this.#line = line;
    this.shape = shape;
    this.written = written;
    this.#values = values;
    this.#fields = fields;
  }

  /** Returns the task of a line whose row is written. */
  static ofRow(block: WrittenBlock, line: number): Task {
    return new Task(block.uuidOf(line), undefined, undefined, undefined, undefined, { block, line });
  }

  /** Record as JSON text on one line, from `{` to `}`, without a newline. */
  get line(): string {
    this.#line ??= this.written?.block.textOf(this.written.line) as string;
    return this.#line;
  }

  /** Values of the record, if it has a shape. They are read at the first access: much work never looks at them. */
  get values(): LeafValues | undefined {
    if (this.#values !== undefined || this.shape === undefined) return this.#values;
    this.shape.isRead = true;
    this.#values = this.shape.match(this.line);
    return this.#values;
  }

  /** Attributes of the record, which is parsed at the first access. */
  get fields(): Fields {
    this.#fields ??= this.#shaped() ?? (JSON.parse(this.line) as Fields);
    return this.#fields;
  }

  /** Returns a deep copy of the record, which the caller may change. */
  copy(): Record<string, unknown> {
    if (this.#fields !== undefined) return cloned(this.#fields);
    return this.#shaped() ?? (JSON.parse(this.line) as Record<string, unknown>);
  }

  #shaped(): Record<string, unknown> | undefined {
    return this.shape?.fields(this.values as LeafValues);
  }

  /** Returns whether the record has an attribute. */
  has(name: string): boolean {
    if (this.shape !== undefined) return this.shape.has(name);
    // Most records lack most names, and searching the text takes less time than parsing it.
    if (this.#fields === undefined && !mayHave(this.line, name)) return false;
    return Object.hasOwn(this.fields, name);
  }
}

/** Names that may be spelled with escapes of one character. */
const ESCAPABLE = /[^ !#-.0-[\]-~]/;
/** Names in quotes; undefined if they have several spellings. */
const quotedNames = new Map<string, string | undefined>();
/** Number of names that are kept: names may be made from data. */
const KEPT = 1000;

/** Returns false if a record, by its text, is certain to lack a name at its top level. */
function mayHave(line: string, name: string): boolean {
  let quoted = quotedNames.get(name);
  if (quoted === undefined && !quotedNames.has(name)) {
    quoted = ESCAPABLE.test(name) ? undefined : JSON.stringify(name);
    if (quotedNames.size < KEPT) quotedNames.set(name, quoted);
  }
  return quoted === undefined || line.includes(quoted) || line.includes('\\u');
}

/** Copies a JSON object. This takes less time than parsing its text again. */
function cloned(fields: Fields): Record<string, unknown> {
  const copy = { ...fields };
  for (const name in copy) {
    const value = copy[name];
    if (typeof value === 'object') copy[name] = clonedValue(value);
  }
  return copy;
}

function clonedValue(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(clonedValue);
  return typeof value === 'object' && value !== null ? cloned(value as Fields) : value;
}

/** Returns the value of an attribute, or undefined. `__proto__` and `constructor` are plain data. */
export function attribute(fields: Fields, name: string): unknown {
  const value = fields[name]; // before `hasOwn`, which is slow: most look-ups find no attribute
  return value === undefined || !Object.hasOwn(fields, name) ? undefined : value;
}

/** Returns the `run` of a record; undefined if it is not an object with a string `state`. */
export function runOf(fields: Fields): Run | undefined {
  const run = attribute(fields, 'run');
  if (typeof run !== 'object' || run === null) return undefined;
  return typeof (run as Run).state === 'string' ? (run as Run) : undefined;
}

/** Returns the `run.state` of a task; undefined if it has no valid `run`. */
export function stateOf(task: Task): string | undefined {
  const { shape, written } = task;
  if (written !== undefined) return written.block.stateOf(written.line);
  if (shape !== undefined) return shape.state === 0 ? undefined : task.values?.[shape.state];
  if (!task.has('run')) return undefined;
  return ownRunTail(task.line)?.[1] ?? runOf(task.fields)?.state;
}

const RUN_AT = ',"run":{"state":"';
/**
 * The `run` of a task without an error, as `runTail` writes it. It is at the end of the record, so it is not nested.
 */
const OWN_RUN = /,"run":\{"state":"([A-Z_]+)","as":"[\w-]+","attempts":\d+,"at":"[\w:.-]+","ms":[\d.]+\}\}$/y;

function ownRunTail(line: string): RegExpExecArray | null {
  OWN_RUN.lastIndex = line.lastIndexOf(RUN_AT);
  return OWN_RUN.lastIndex < 0 ? null : OWN_RUN.exec(line);
}

/** Returns whether an arriving task must not be run: it has failed or was reverted before. */
export function isSettled(task: Task): boolean {
  const state = stateOf(task);
  return state !== undefined && state !== 'SUCCESS' && state !== 'PENDING';
}

/**
 * Returns a task with the outcome of its work: the result under `run.as`, and `run`. They replace an earlier
 * `run` and an earlier value under that key. All else keeps its bytes.
 * @param result JSON text on one line, or undefined if there is no result
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

/** Returns a task with another `run`, or without one. All else keeps its bytes. */
export function withRun({ uuid, line }: Task, run: Run | undefined): Task {
  const clean = withoutMembers(line, (key) => key === 'run');
  // Not from the cache of `runTail`: a run from outside may lack any member.
  return new Task(uuid, run === undefined ? clean : `${clean.slice(0, -1)},"run":${JSON.stringify(run)}}`);
}

let lastRun: Run | undefined;
let lastTail = '';

/**
 * Returns the end of a record, from its `run`. It is cached, because hundreds of quick tasks in a row have the same
 * one.
 */
function runTail(run: Run): string {
  if (run !== lastRun && (lastRun === undefined || !isSame(run, lastRun))) {
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

/** Returns whether a text has only printable ASCII. For a uuid this is faster than a regular expression. */
function isPlain(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 0x20 || code > 0x7e) return false;
  }
  return true;
}

/** Returns whether a text begins with a space, or a character that may be a wider one. */
function mayBeBlank(text: string): boolean {
  const first = text.charCodeAt(0);
  return first === 0x20 || first > 0x7e;
}

/**
 * Returns the reason a value cannot be a uuid, or undefined if it can. A uuid is a string of 1 to 256 bytes
 * without control characters or halves of surrogate pairs, and not only white space.
 */
export function uuidFault(value: unknown): string | undefined {
  if (value === undefined) return 'it has no "uuid"';
  if (typeof value !== 'string') return '"uuid" is not a string';
  if (value === '') return '"uuid" is empty';
  if (mayBeBlank(value) && value.trim() === '') return '"uuid" is blank';
  if (value.length > 64 && Buffer.byteLength(value) > 256) return '"uuid" is longer than 256 bytes';
  if (!isPlain(value) && FORBIDDEN.test(value)) return '"uuid" has a control character';
  return value.isWellFormed() ? undefined : '"uuid" has half of a surrogate pair';
}

let lastTime = Number.NaN;
let lastStamp = '';

/**
 * Returns a time in ISO 8601, as `run.at` has it. The last one is cached, because thousands of tasks share a
 * millisecond.
 * @param time milliseconds, as from `Date.now()`
 */
export function timestamp(time: number): string {
  if (time !== lastTime) {
    lastTime = time;
    lastStamp = new Date(time).toISOString();
  }
  return lastStamp;
}
