import { uuidFault } from '../core/record/task.ts';
import { finishedKey, type KeyTypes, undoneKey } from '../core/redis/redis-keys.ts';

const CANONICAL = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;

/**
 * Returns the job id of a task. A UUID is used as it is. Any other uuid could collide with a key of BullMQ (`wait`) or
 * with one of its numbers, or contain its separator, so it is marked and escaped.
 */
export function jobIdOf(uuid: string): string {
  return CANONICAL.test(uuid) ? uuid : `=${uuid.replace(/[%:]/g, encodeURIComponent)}`;
}

/** Returns the uuid of a job's task; undefined if `jobIdOf` did not make the id. */
export function uuidOf(jobId: string): string | undefined {
  if (CANONICAL.test(jobId)) return jobId;
  if (!jobId.startsWith('=')) return undefined;
  const uuid = jobId.slice(1).replace(/%25|%3A/g, decodeURIComponent);
  return uuidFault(uuid) === undefined ? uuid : undefined;
}

/** Returns the lock token of a worker. */
export function tokenOf(worker: string, instance: string): string {
  return `${worker}/${instance}`;
}

export function readToken(token: string): { worker: string; instance: string } {
  const slash = token.lastIndexOf('/');
  return { worker: token.slice(0, slash), instance: token.slice(slash + 1) };
}

/** Returns the key of a hash: the states of the live workers, by instance. */
export function workersKey(name: string): string {
  return `taskpipe:${name}:workers`;
}

/** Returns the key of a set: the instances that were asked to stop. */
export function stopsKey(name: string): string {
  return `taskpipe:${name}:stops`;
}

/** Returns the key of a list: jobs of an instance that another process settled; an empty entry is the last one. */
export function returnedKey(name: string, instance: string): string {
  return `taskpipe:${name}:returned:${instance}`;
}

/** Returns the key of a hash: tasks that were added again while they are in the queue, by uuid; see `bullmq-repeat.ts`. */
export function repeatsKey(name: string): string {
  return `taskpipe:${name}:repeats`;
}

/** Returns the key that exists as long as a process may still settle tasks of a worker. */
export function settlingKey(name: string, worker: string): string {
  return `taskpipe:${name}:settling:${worker}`;
}

/** Returns the key that exists while a worker of this name was seen lately. */
export function knownKey(name: string, worker: string): string {
  return `taskpipe:${name}:known:${worker}`;
}

/** Types of the keys of BullMQ, by the text after `bull:NAME:`. */
const BULL_TYPES: KeyTypes = {
  ...{ wait: 'list', active: 'list', paused: 'list' },
  ...{
    delayed: 'zset',
    prioritized: 'zset',
    failed: 'zset',
    completed: 'zset',
    repeat: 'zset',
    marker: 'zset',
  },
  ...{ meta: 'hash', stalled: 'set', events: 'stream' },
  ...{ id: 'string', pc: 'string', limiter: 'string', 'stalled-check': 'string' },
};

export function queueKeyTypes(name: string): KeyTypes {
  const bull = Object.entries(BULL_TYPES).map(([key, type]) => [`bull:${name}:${key}`, type] as const);
  return {
    ...Object.fromEntries(bull),
    ...{ [finishedKey(name)]: 'set', [undoneKey(name)]: 'set', [stopsKey(name)]: 'set' },
    ...{ [workersKey(name)]: 'hash', [repeatsKey(name)]: 'hash' },
  };
}
