import { inspect, types } from 'node:util';
import { isA } from '../../core/base/thrown.ts';
import type { Fields, Task } from '../../core/record/task.ts';
import { BatchUuids } from '../batch-uuids.ts';
import type { BatchOutcome, Outcome } from '../contract.ts';
import { failure, isThenable, settledOf, success } from '../from-function.ts';
import type { Context, ModuleContext } from './module-context.ts';

/** Module function of `--batch`: it gets several tasks, and returns their results in order, or by uuid. */
export type BatchHandler = (tasks: readonly Fields[], context: ModuleContext) => unknown;

/** Error of one task of a batch, whose promise was rejected. */
class Rejected {
  readonly thrown: unknown;

  constructor(thrown: unknown) {
    this.thrown = thrown;
  }
}

/** Returns the name of a batch in logs. */
export function batchName(tasks: readonly Task[]): string {
  const [first] = tasks as readonly [Task];
  return tasks.length === 1 ? first.uuid : `${first.uuid} and ${tasks.length - 1} more`;
}

/**
 * Returns the value that a function returned; if that contains promises for single tasks, a promise of it with their
 * values.
 */
export function itemsOf(value: unknown): unknown {
  if (!isThenable(value)) return hasPromises(value) ? awaited(value) : value;
  return Promise.resolve(value).then((all) => (hasPromises(all) ? awaited(all) : all));
}

function hasPromises(value: unknown): value is readonly unknown[] | ReadonlyMap<string, unknown> {
  if (Array.isArray(value)) return value.some(isThenable);
  return isA(value, Map) && [...value.values()].some(isThenable);
}

async function awaited(all: readonly unknown[] | ReadonlyMap<string, unknown>): Promise<unknown> {
  if (!Array.isArray(all)) {
    const entries = [...(all as ReadonlyMap<string, unknown>)];
    return new Map(await Promise.all(entries.map(async ([key, item]) => [key, await oneOf(item)] as const)));
  }
  const values: unknown[] = new Array(all.length); // a hole stays one
  await Promise.all(
    all.map(async (item, i) => {
      values[i] = await oneOf(item);
    }),
  );
  return values;
}

async function oneOf(item: unknown): Promise<unknown> {
  if (!isThenable(item)) return item;
  const settled = await settledOf(item);
  return 'value' in settled ? settled.value : new Rejected(settled.thrown);
}

/** Returns the function that reads the value that a module function returned for these tasks. */
export function batchReader(tasks: readonly Task[]): (value: unknown, context: Context) => BatchOutcome {
  return (value, context) => {
    context.end(false);
    // An array that was created with a length and not filled has holes.
    if (Array.isArray(value) && value.length === tasks.length) {
      const moved = movedIn(value, tasks);
      if (moved !== undefined) return refused(moved, tasks);
      return tasks.map((task, i) => (i in value ? outcomeOf(task, value[i], context) : missing()));
    }
    const look = Array.isArray(value) ? undefined : lookUpIn(value);
    const found = look && tasks.map(({ uuid }) => look(uuid));
    if (found === undefined || found.every((item) => item === undefined)) return refused(shown(value), tasks);
    return tasks.map((task, i) => {
      const item = found[i];
      return item === undefined ? missing() : outcomeOf(task, item.value, context);
    });
  };
}

/** Returns the function that finds an item by the uuid of its task, in a Map or an object. */
function lookUpIn(value: unknown): ((uuid: string) => { readonly value: unknown } | undefined) | undefined {
  if (types.isMap(value)) return (uuid) => (value.has(uuid) ? { value: value.get(uuid) } : undefined);
  if (typeof value !== 'object' || value === null) return undefined;
  const items = value as Readonly<Record<string, unknown>>;
  return (uuid) => (Object.hasOwn(items, uuid) ? { value: items[uuid] } : undefined);
}

function outcomeOf({ uuid }: Task, item: unknown, context: Context): Outcome {
  if (isA(item, Rejected)) return failure(item.thrown);
  if (isError(item)) return failure(item);
  const outcome = success(item);
  const children = context.childrenOf(uuid);
  return children === undefined || outcome.error !== undefined ? outcome : { ...outcome, children };
}

/** Returns whether a function returned an error, which is treated like a thrown one. */
export function isError(value: unknown): boolean {
  return types.isNativeError(value) || isA(value, Error);
}

function missing(): Outcome {
  return { error: { code: 'BATCH', message: 'the function returned nothing for this task of its batch' } };
}

function refused(what: string, tasks: readonly Task[]): BatchOutcome {
  const wanted = `an array of ${tasks.length} items, in the order of its tasks, or a Map or an object by uuid`;
  const message = `the function must return ${wanted}; ${what}`;
  return { whole: { error: { code: 'BATCH', message } }, halves: 'never' };
}

/** Returns a description of an item that has the uuid of another task than the one at its place. */
function movedIn(items: readonly unknown[], tasks: readonly Task[]): string | undefined {
  const uuids = new BatchUuids(tasks);
  for (const [i, item] of items.entries()) {
    const other = uuids.otherPlace(uuidOf(item), i);
    if (other !== undefined) return `item ${i + 1} of the array has the uuid of task ${other + 1}`;
  }
  return undefined;
}

/** Returns the uuid in an item; undefined if it cannot be read: then the item is not JSON, which is found later. */
function uuidOf(item: unknown): unknown {
  if (typeof item !== 'object' || item === null) return undefined;
  try {
    return Object.hasOwn(item, 'uuid') ? (item as { readonly uuid: unknown }).uuid : undefined;
  } catch {
    return undefined;
  }
}

/** Returns a description of a returned value. */
function shown(value: unknown): string {
  return `it returned ${kindOf(value)}`;
}

function kindOf(value: unknown): string {
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (types.isMap(value)) return 'a Map without the uuid of any of them';
  if (types.isSet(value)) return 'a Set ([...set] is an array)';
  if (types.isTypedArray(value)) return 'a typed array ([...array] is an array)';
  if (types.isGeneratorObject(value)) return 'a generator, whose items must be put into an array';
  if (typeof value === 'object' && value !== null) return 'an object without the uuid of any of them';
  return inspect(value).slice(0, 100);
}
