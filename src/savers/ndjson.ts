import { isUtf8 } from 'node:buffer';
import { membersOf, minify } from '../core/members.ts';
import { attribute, type Fields, type Task, uuidFault } from '../core/task.ts';
import type { Field } from './fields.ts';
import { leafPaths } from './leaf-paths.ts';
import type { FoundRow, OpenRows } from './saver.ts';

const NEWLINE = 10;
/** A line that is longer was never a row. */
const MAX_ROW = 64 * 1024 * 1024;

/**
 * NDJSON: a record is its own row. With `--fields` it is an object of these attributes, each under the name that was
 * given, as in `{"url":…,"result.status":200}`; values keep their bytes.
 */
export const ndjson: OpenRows = async (head, { fields }) => {
  for await (const _ of head) break;
  const uuidKey = fields === undefined ? 'uuid' : fields.find(({ path }) => path === 'uuid')?.name;
  const met = new Set<string>();
  let first: Task | undefined;
  return {
    hasUuid: uuidKey !== undefined,
    hasQuotes: false,
    first: 0,
    lacking: [],
    encode(task) {
      first ??= task;
      return `${fields === undefined ? task.line : pick(task.line, fields, met)}\n`;
    },
    get unmet() {
      if (first === undefined) return { names: [], there: [] };
      const names = fields?.map(({ path }) => path).filter((path) => !met.has(path)) ?? [];
      return { names, there: leafPaths(first.line) };
    },
    lackedBy: () => [],
    scan: (chunks, from) => scan(chunks, from, uuidKey ?? 'uuid'),
    async *widen(_, chunks) {
      yield* chunks;
    },
  };
};

/** @param met gets the paths that the record has */
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

/** The text of the value at a path of names with dots, or undefined. A name that has the dots itself comes first. */
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

/** @param uuidKey the key of the uuid in a row */
async function* scan(
  chunks: AsyncIterable<Buffer>,
  from: number,
  uuidKey: string,
): AsyncGenerator<readonly FoundRow[]> {
  let kept: Buffer = Buffer.alloc(0);
  let start = from;
  let line = 0;
  for await (const chunk of chunks) {
    const bytes = kept.length === 0 ? chunk : Buffer.concat([kept, chunk]);
    const found: FoundRow[] = [];
    let at = 0;
    for (let end = bytes.indexOf(NEWLINE); end >= 0; end = bytes.indexOf(NEWLINE, at)) {
      const row = rowOf(bytes.subarray(at, end), start, ++line, uuidKey);
      start = row.end;
      at = end + 1;
      found.push(row);
      if (row.fault !== undefined) break;
    }
    yield found;
    if (found.at(-1)?.fault !== undefined) return;
    kept = Buffer.from(bytes.subarray(at));
    if (kept.length > MAX_ROW) break;
  }
  if (kept.length === 0) return;
  yield [
    {
      uuid: undefined,
      start,
      end: start + kept.length,
      line: line + 1,
      fault: 'it has no line end',
      damage: 'open',
    },
  ];
}

function rowOf(bytes: Buffer, start: number, line: number, uuidKey: string): FoundRow {
  const place = { uuid: undefined, start, end: start + bytes.length + 1, line };
  if (bytes.includes(0)) return { ...place, fault: 'it has a NUL', damage: 'nul' };
  if (!isUtf8(bytes)) return { ...place, fault: 'it is not valid UTF-8' };
  const text = bytes.toString().trim();
  if (text === '') return place;
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return { ...place, fault: 'it is no JSON object' };
    const uuid = attribute(value as Fields, uuidKey);
    return uuidFault(uuid) === undefined ? { ...place, uuid: uuid as string } : place;
  } catch {
    return { ...place, fault: 'it is not JSON' };
  }
}
