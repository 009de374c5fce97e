/* Values of a record by the columns of a table: see `run-columns.ts`. */
import { type Member, membersOf } from '../../core/record/json-text.ts';
import { columnOf, RUN_COLUMNS } from '../../core/record/run-columns.ts';
import { runOf, stateOf, type Task } from '../../core/record/task.ts';
import type { Field } from './fields.ts';
import { rawAt } from './ndjson-rows.ts';

/** A value of a record. */
export interface FoundValue {
  /** Name or path of the attribute; undefined for a member of `run`. */
  readonly attribute: string | undefined;
  readonly column: string;
  /** JSON text; undefined if the record has no such value. */
  readonly raw: string | undefined;
}

const RUN_PATHS = Object.entries(RUN_COLUMNS);
/** Columns of `run` by the name of the member, and those of its error. */
const RUN_MEMBERS = new Map(RUN_PATHS.map(([column, path]) => [path.replace(/^run\./, ''), column]));

/** Returns all values of a record. */
export function valuesOf(task: Task): readonly FoundValue[] {
  const { line } = task;
  const hasRun = stateOf(task) !== undefined;
  const values: FoundValue[] = [];
  let run: FoundValue[] = [];
  for (const { key, value, end } of lastMembers(task)) {
    const raw = line.slice(value, end);
    if (key === 'run' && hasRun) run = runValues(raw);
    else if (key !== 'uuid') values.push({ attribute: key, column: columnOf(key), raw });
  }
  return run.length === 0 ? values : [...values, ...run];
}

/** Returns the members of a record; as JSON.parse, takes the last of several members of one name. */
function lastMembers({ line, shape }: Task): readonly Member[] {
  const members = membersOf(line);
  if (shape !== undefined) return members; // such a record has no name twice
  const last = new Map(members.map((member) => [member.key, member]));
  return last.size === members.length ? members : [...last.values()];
}

/** Returns the values of a run. @param text its JSON text */
function runValues(text: string, above = ''): FoundValue[] {
  const values: FoundValue[] = [];
  for (const { key, value, end } of membersOf(text)) {
    const raw = text.slice(value, end);
    const column = RUN_MEMBERS.get(`${above}${key}`);
    if (column !== undefined) values.push({ attribute: undefined, column, raw });
    else if (key === 'error' && above === '' && raw.startsWith('{')) values.push(...runValues(raw, 'error.'));
  }
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

/** Returns the column of a field. A member of `run` without its own name gets the same column as in a whole record. */
export function columnOfChosen({ name, path }: Field): string {
  const column = RUN_PATHS.find(([, of]) => of === path)?.[0];
  return column !== undefined && (name === path || name === column) ? column : columnOf(name);
}

/** Returns the column of the result of a task, which may be of another type in each record. */
export function columnOfResult({ fields }: Task): string {
  const as = runOf(fields)?.as;
  return typeof as === 'string' ? columnOf(as) : 'result';
}
