import { isUtf8 } from 'node:buffer';
import { membersOf, minify } from '../../core/record/json-text.ts';
import { attribute, type Fields, runOf, type Task, uuidFault } from '../../core/record/task.ts';
import type { FoundRow, OpenRows } from '../contract.ts';
import { jsonForm } from '../foreign-form.ts';
import type { Field } from './fields.ts';
import { leafPaths } from './leaf-paths.ts';
import { NOT_UTF8 } from './output-header.ts';

const NEWLINE = 10;
/** Longest row, in bytes. A longer line cannot be a row. */
const MAX_ROW = 64 * 1024 * 1024;

/**
 * Opens rows of NDJSON. Each record is a row. With `--fields`, a row is an object of these attributes under
 * the given names, as in `{"url":…,"result.status":200}`. Values keep
 * their text, except white space between tokens.
 */
export const ndjson: OpenRows = async (head, { fields, path }) => {
  const old = await firstRow(head);
  const uuidKey = fields === undefined ? 'uuid' : fields.find(({ path }) => path === 'uuid')?.name;
  const met = new Set<string>();
  let first: Task | undefined;
  return {
    hasUuid: uuidKey !== undefined,
    first: 0,
    newline: '\n',
    lacking: [],
    encode(task) {
      first ??= task;
      return `${fields === undefined ? task.line : pick(task.line, fields, met)}\n`;
    },
    get unusedFields() {
      if (first === undefined) return { names: [], there: [] };
      const names = fields?.map(({ path }) => path).filter((path) => !met.has(path)) ?? [];
      return { names, there: leafPaths(first.line) };
    },
    missingColumns: () => [],
    lacksResult(task) {
      const run = runOf(task.fields);
      if (old === undefined || run === undefined || fields !== undefined) return false;
      return (
        !Object.hasOwn(old, 'run') && !Object.hasOwn(old, typeof run.as === 'string' ? run.as : 'result')
      );
    },
    scan: (chunks) => scan(chunks, uuidKey ?? 'uuid', path),
    async *widen(_, chunks) {
      yield* chunks;
    },
  };
};

/** Returns the first row of an existing output, or undefined if it is not a record. */
async function firstRow(head: AsyncIterable<Buffer>): Promise<object | undefined> {
  for await (const chunk of head) {
    const end = chunk.indexOf(NEWLINE);
    try {
      const value: unknown = end < 0 ? undefined : JSON.parse(chunk.toString('utf8', 0, end));
      return typeof value === 'object' && value !== null ? value : undefined;
    } catch {
      return undefined; // recovery reports it
    }
  }
  return undefined;
}

/** Returns the fields of a record as a JSON object. @param met gets the paths that the record has */
function pick(line: string, fields: readonly Field[], met: Set<string>): string {
  const members: string[] = [];
  for (const { name, path } of fields) {
    const raw = rawAt(line, path);
    if (raw === undefined) continue;
    met.add(path);
    members.push(`${JSON.stringify(name)}:${minify(raw)}`);
  }
  return `{${members.join(',')}}`;
}

/**
 * Returns the text of the value at a path of names with dots, or undefined. A member with the whole path as its name
 * takes precedence.
 */
export function rawAt(text: string, path: string): string | undefined {
  const members = membersOf(text);
  const whole = members.findLast(({ key }) => key === path);
  if (whole !== undefined) return text.slice(whole.value, whole.end);
  for (let dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1)) {
    const above = members.findLast(({ key }) => key === path.slice(0, dot));
    const raw = above === undefined ? '' : text.slice(above.value, above.end);
    const found = raw.startsWith('{') ? rawAt(raw, path.slice(dot + 1)) : undefined;
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Finds the rows of an output. @param uuidKey key of the uuid in a row */
async function* scan(
  chunks: AsyncIterable<Buffer>,
  uuidKey: string,
  path: string,
): AsyncGenerator<readonly FoundRow[]> {
  let kept: Buffer = Buffer.alloc(0);
  let start = 0;
  let line = 0;
  for await (const chunk of chunks) {
    const bytes = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
    const found: FoundRow[] = [];
    let at = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
      const row = rowOf(bytes.subarray(at, end), { start, end: start + end + 1 - at, line: ++line }, uuidKey);
      const text = row?.fault === undefined ? '' : bytes.toString('utf8', at, end);
      start += end + 1 - at;
      at = end + 1;
      if (row !== undefined) found.push(text === '' ? row : { ...row, ...jsonForm(text, true, path) });
      if (row?.fault !== undefined) break;
    }
    yield found;
    if (found.at(-1)?.fault !== undefined) return;
    kept = Buffer.from(bytes.subarray(at));
    if (kept.length > MAX_ROW) break;
  }
  const row = rowOf(kept, { start, end: start + kept.length, line: line + 1 }, uuidKey);
  if (row === undefined) return;
  const form = row.fault === undefined ? undefined : jsonForm(kept.toString(), false, path);
  if (form !== undefined) yield [{ ...row, ...form }];
  else yield [row.fault === undefined ? { ...row, isOpen: true } : { ...row, damage: row.damage ?? 'open' }];
}

/** Reads a line. Returns undefined if it is blank. */
function rowOf(
  bytes: Buffer,
  place: Pick<FoundRow, 'start' | 'end' | 'line'>,
  uuidKey: string,
): FoundRow | undefined {
  const bad = { uuid: undefined, ...place };
  if (bytes.includes(0)) return { ...bad, fault: 'it has a NUL', damage: 'nul' };
  if (!isUtf8(bytes)) return { ...bad, fault: NOT_UTF8 };
  const text = bytes.toString().trim();
  if (text === '') return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      return { ...bad, fault: 'it is not a JSON object' };
    const uuid = attribute(value as Fields, uuidKey);
    return uuidFault(uuid) === undefined ? { ...place, uuid: uuid as string } : bad;
  } catch {
    return { ...bad, fault: 'it is not JSON' };
  }
}
