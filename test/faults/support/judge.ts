import { isUtf8 } from 'node:buffer';

/**
 * Line as an independent judge classifies it, by the documented rules and JSON.parse. No code of the product
 * is used.
 */
export interface Judged {
  readonly kind: 'blank' | 'bad' | 'good';
  /** Line without its end. */
  readonly line: string;
  /** Line without the white space around it. */
  readonly text: string;
  readonly uuid: string;
  /** Members of the record; empty if the line is a bare uuid. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Judges the lines of a text. The index is the line number, so entry 0 is not a line. */
export function judgeLines(bytes: Buffer, judge: (line: string) => Partial<Judged> | undefined): Judged[] {
  const judged: Judged[] = [nothing('')];
  for (let from = 0; from <= bytes.length; ) {
    const newline = bytes.indexOf(10, from);
    const end = newline < 0 ? bytes.length : newline;
    const raw = bytes.subarray(from, end);
    from = end + 1;
    const decoded = raw.toString().replace(/\r$/, '');
    const line = judged.length === 1 ? decoded.replace(/^\ufeff/, '') : decoded;
    const text = line.trim();
    if (!isUtf8(raw)) judged.push({ ...nothing(line), kind: 'bad' });
    else if (text === '') judged.push(nothing(line));
    else judged.push({ ...nothing(line), kind: 'bad', text, ...judge(line) });
  }
  return judged;
}

function nothing(line: string): Judged {
  return { kind: 'blank', line, text: '', uuid: '', fields: {} };
}

/**
 * Returns the record of a line; undefined if it is not one.
 * @param levels maximum depth
 */
export function recordOf(line: string, levels = 64): Pick<Judged, 'text' | 'fields'> | undefined {
  const text = line.trim();
  try {
    const fields = JSON.parse(text);
    const isObject = typeof fields === 'object' && fields !== null && !Array.isArray(fields);
    return isObject && depthOf(fields) <= levels ? { text, fields } : undefined;
  } catch {
    return undefined;
  }
}

export function judgeTask(line: string): Partial<Judged> | undefined {
  const record = recordOf(line);
  const uuid = own(record?.fields ?? {}, 'uuid');
  return isUuid(uuid) ? { kind: 'good', uuid, ...record } : undefined;
}

/** Judges a line as `task-done` reads it: a record, or a bare uuid with or without quotes. */
export function judgeNamed(line: string): Partial<Judged> | undefined {
  const text = line.trim();
  if (text.startsWith('{')) return judgeTask(line);
  let uuid: unknown = text;
  try {
    if (text.startsWith('"')) uuid = JSON.parse(text);
  } catch {}
  return isUuid(uuid) ? { kind: 'good', uuid, fields: {} } : undefined;
}

/** Judges a line as a record to load. `uuid` is empty if task-load makes one. */
export function judgeLoaded(line: string): Partial<Judged> | undefined {
  const record = recordOf(line);
  if (record === undefined) return undefined;
  const { fields } = record;
  const ours = oursOf(fields);
  if (ours === undefined && (Object.hasOwn(fields, 'run') || Object.hasOwn(fields, 'result')))
    return undefined;
  const uuid = own(fields, 'uuid');
  if (uuid !== undefined) return isUuid(uuid) ? { kind: 'good', uuid, ...record } : undefined;
  const given = Object.entries(fields).filter(([key]) => !ours?.has(key));
  return isWellFormed(given) ? { kind: 'good', uuid: '', ...record } : undefined;
}

/** Returns whether all names and strings of a value are well-formed, so that a uuid can be made from it. */
function isWellFormed(value: unknown): boolean {
  if (typeof value === 'string') return value.isWellFormed();
  if (typeof value !== 'object' || value === null) return true;
  return Object.entries(value).every(([key, part]) => key.isWellFormed() && isWellFormed(part));
}

/** Returns the keys that an executor added to a record; undefined if there is no run. */
export function oursOf(fields: Judged['fields']): ReadonlySet<string> | undefined {
  const { state, as } = runOf(fields) ?? {};
  if (typeof state !== 'string') return undefined;
  return new Set(['run', 'result', ...(typeof as === 'string' && as !== 'uuid' ? [as] : [])]);
}

/** Returns the state of the run of a record; undefined if there is none. */
export function stateOf(fields: Judged['fields']): string | undefined {
  const { state } = runOf(fields) ?? {};
  return typeof state === 'string' ? state : undefined;
}

function runOf(fields: Judged['fields']): Readonly<Record<string, unknown>> | undefined {
  const run = own(fields, 'run');
  return typeof run === 'object' && run !== null ? (run as Record<string, unknown>) : undefined;
}

/** Returns the value of a member, without inherited ones. */
export function own(fields: Judged['fields'], key: string): unknown {
  return Object.hasOwn(fields, key) ? fields[key] : undefined;
}

export function isUuid(value: unknown): value is string {
  if (typeof value !== 'string' || value.trim() === '' || Buffer.byteLength(value) > 256) return false;
  return value.isWellFormed() && !/[\0-\x1f\x7f-\x9f]/.test(value);
}

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  let deepest = 0;
  for (const item of Object.values(value)) deepest = Math.max(deepest, depthOf(item));
  return deepest + 1;
}
