/* A module in TypeScript, with an import of a value and one of a type. */
import { isMainThread } from 'node:worker_threads';
import { type ModuleContext, nameUuid } from 'taskpipe';

export default async (task: { id: string; uuid: string }, { attempt }: ModuleContext): Promise<unknown> => {
  if (attempt !== 1 || task.uuid !== nameUuid(task.id)) throw new Error('another task');
  return isMainThread ? { double: Number(task.id) * 2 } : { triple: Number(task.id) * 3 };
};
