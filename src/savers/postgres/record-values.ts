import { type Member, membersOf } from '../../core/record/json-text.ts';
import { columnOf, RUN_COLUMNS } from '../../core/record/run-columns.ts';
import { runOf, type Task } from '../../core/record/task.ts';
import type { Field } from '../rows/fields.ts';
import { rawAt } from '../rows/ndjson-rows.ts';

/** A value of a record. */
export interface FoundValue {
  /** Name or path of the attribute; undefined for a member of `run`. */
  readonly attribute: string | undefined;
  readonly column: string;
  /** JSON text; undefined if the record has no such value. */
  readonly raw: string | undefined;
}

const RUN_PATHS = Object.entries(RUN_COLUMNS);

/** Returns all values of a record. */
export function valuesOf({ line, fields }: Task): readonly FoundValue[] {
  const run = runOf(fields);
  const members = new Map<string, Member>(); // as JSON.parse, takes the last of several members of one name
  for (const member of membersOf(line)) members.set(member.key, member);
  const values: FoundValue[] = [];
  for (const [key, { value, end }] of members) {
    if (key === 'uuid' || (key === 'run' && run !== undefined)) continue;
    values.push({ attribute: key, column: columnOf(key), raw: line.slice(value, end) });
  }
  const own = members.get('run');
  if (run === undefined || own === undefined) return values;
  const text = `{"run":${line.slice(own.value, own.end)}}`;
  for (const [column, path] of RUN_PATHS)
    values.push({ attribute: undefined, column, raw: rawAt(text, path) });
  return values;
}

/** Returns the values that `--fields` chooses. */
export function chosenValues({ line }: Task, fields: readonly Field[]): readonly FoundValue[] {
  return fields.map((field) => {
    const column = columnOfChosen(field);
    const attribute = Object.hasOwn(RUN_COLUMNS, column) ? undefined : field.path;
    return { attribute, column, raw: rawAt(line, field.path) };
  });
}

/** Returns the column of a field. A member of `run` gets the same column as in a whole record. */
export function columnOfChosen({ name, path }: Field): string {
  const column = RUN_PATHS.find(([, of]) => of === path)?.[0];
  return column !== undefined && (name === path || name === column) ? column : columnOf(name);
}
