import { suggested } from '../../core/options/suggest.ts';
import { RUN_COLUMNS } from '../../core/record/run-columns.ts';
import { runOf, stateOf, type Task } from '../../core/record/task.ts';
import { RefusedRecords } from '../refused-records.ts';
import type { Field } from './fields.ts';
import { leafPaths } from './leaf-paths.ts';
import { rawAt } from './ndjson-rows.ts';

/** Paths of the members of `run`. Any record may lack them. */
const OF_RUN: ReadonlySet<string> = new Set(['run', 'run.error', ...Object.values(RUN_COLUMNS)]);

/** Returns true if an attribute may be absent: a run without failures has no error, for example. */
export function isOptional(path: string): boolean {
  return OF_RUN.has(path);
}

/** Error for a field that is certainly a typo. */
export class FieldSlip extends RefusedRecords {
  constructor(path: string, meant: string, tasks: readonly Task[]) {
    const shown = JSON.stringify(path);
    const explicit = /[,="]/.test(path) ? `"${path.replaceAll('"', '""')}"` : path;
    super(
      'USAGE',
      `no record had ${shown} (--fields); did you mean ${suggested(meant)}? Nothing was saved. ` +
        `If later records have ${shown}, give it as ${explicit}=${explicit}`,
      tasks,
    );
  }
}

/**
 * Finds fields that none of the first records has.
 * @param tasks the first batch of records
 * @returns the paths of such fields; undefined if no record can tell, for example if all are failures
 * @throws {FieldSlip} if an absent field is certainly a typo: no record has its first name, and a path that
 *   is not among the fields ends in it, or differs from it by one letter
 */
export function absentFields(
  fields: readonly Field[],
  tasks: readonly Task[],
): readonly string[] | undefined {
  const good = tasks.filter((task) => ['SUCCESS', undefined].includes(stateOf(task)));
  if (good.length === 0) return undefined;
  let absent = fields.filter(({ path }) => path !== 'uuid' && !isOptional(path));
  for (const { line } of good) {
    absent = absent.filter(({ path }) => rawAt(line, path) === undefined);
    if (absent.length === 0) return [];
  }
  const names = namesIn(good);
  const paths = pathsIn(good[0] as Task);
  const asked = new Set(fields.map(({ path }) => path));
  const free = paths.filter((path) => !asked.has(path));
  for (const { name, path, isNamed } of absent) {
    if ((isNamed && name === path) || prefixesOf(path).some((prefix) => names.has(prefix))) continue;
    const meant =
      free.find((other) => other.endsWith(`.${path}`)) ?? free.find((other) => isSlip(path, other));
    if (meant !== undefined) throw new FieldSlip(path, meant, tasks);
  }
  return absent.map(({ path }) => path);
}

/** Returns the names that records have or may get: `result` exists only after a run. */
function namesIn(tasks: readonly Task[]): ReadonlySet<string> {
  const names = new Set(['run', 'result']);
  for (const { fields } of tasks) {
    for (const name in fields) names.add(name);
    const as = runOf(fields)?.as;
    if (typeof as === 'string') names.add(as);
  }
  return names;
}

/** Returns the paths of the leaves of a record and of the objects above them, the latter last. */
function pathsIn({ line }: Task): readonly string[] {
  const leaves = leafPaths(line);
  return [...new Set([...leaves, ...leaves.flatMap(prefixesOf)])];
}

function prefixesOf(path: string): string[] {
  const prefixes: string[] = [];
  for (let dot = path.indexOf('.'); dot >= 0; dot = path.indexOf('.', dot + 1))
    prefixes.push(path.slice(0, dot));
  return [...prefixes, path];
}

/** Minimum length for this comparison: shorter words often differ by only one letter. */
const SHORTEST = 3;

/**
 * Returns true if two names differ by one typo: in case and separators, or in one letter that is missing,
 * added, wrong, or swapped with the next. `phone1` and `phone2` are different names.
 */
function isSlip(typed: string, name: string): boolean {
  const [a, b] = [plain(typed), plain(name)];
  if (a === b) return true;
  if (Math.min(a.length, b.length) < SHORTEST) return false;
  let at = 0;
  while (a[at] === b[at]) at++;
  const [restA, restB] = [a.slice(at), b.slice(at)];
  const isSwapped = restA[0] === restB[1] && restA[1] === restB[0] && restA.slice(2) === restB.slice(2);
  const changed = [
    [restA.slice(1), restB.slice(1)],
    [restA.slice(1), restB],
    [restA, restB.slice(1)],
  ].some(([left, right]) => left === right);
  return isSwapped || (changed && !/^\d/.test(restA) && !/^\d/.test(restB));
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[\s_-]/g, '');
}
