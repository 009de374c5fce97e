import { uuidFault } from '../core/task.ts';

const CANONICAL = /^[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}$/;

/**
 * The id of the job of a task. A UUID is as it is. Anything else could be taken for a key of BullMQ's (`wait`), for
 * one of its own numbers, or have its separator in it, so it is marked and escaped.
 */
export function jobIdOf(uuid: string): string {
  return CANONICAL.test(uuid) ? uuid : `=${uuid.replace(/[%:]/g, encodeURIComponent)}`;
}

/** The uuid of a job's task; undefined where we did not make the id. */
export function uuidOf(jobId: string): string | undefined {
  if (CANONICAL.test(jobId)) return jobId;
  if (!jobId.startsWith('=')) return undefined;
  const uuid = jobId.slice(1).replace(/%25|%3A/g, decodeURIComponent);
  return uuidFault(uuid) === undefined ? uuid : undefined;
}

/** The lock of a delivered task: whose it is. */
export function tokenOf(worker: string, instance: string): string {
  return `${worker}/${instance}`;
}

export function readToken(token: string): { worker: string; instance: string } {
  const slash = token.lastIndexOf('/');
  return { worker: token.slice(0, slash), instance: token.slice(slash + 1) };
}

/** The workers that are there: a hash of their states by instance. */
export function workersKey(name: string): string {
  return `taskpipe:${name}:workers`;
}

/** The instances that are to stop. */
export function stopsKey(name: string): string {
  return `taskpipe:${name}:stops`;
}

/** A list of the jobs of an instance that were settled elsewhere; an empty one says that no more come. */
export function returnedKey(name: string, instance: string): string {
  return `taskpipe:${name}:returned:${instance}`;
}

/** Is there as long as somebody may still settle tasks of a worker. */
export function settlingKey(name: string, worker: string): string {
  return `taskpipe:${name}:settling:${worker}`;
}

/** Is there as long as a worker of that name was seen lately. */
export function knownKey(name: string, worker: string): string {
  return `taskpipe:${name}:known:${worker}`;
}
