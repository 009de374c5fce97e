import type { ChainableCommander } from 'ioredis';
import { finishedKey } from '../../core/redis/redis-keys.ts';
import type { Bull } from './bull.ts';

/*
 * One script adds a batch of jobs: it calls the script of BullMQ that adds one job. This takes one command instead of
 * one per job, and is atomic: Redis decides whether a job is new and adds it in one step.
 */

/** Answers of the script. */
export const [ADDED, PRESENT, FINISHED] = [0, 1, 2];

/** Job to add, in the form of BullMQ, with the uuid of its task. */
export interface NewJob {
  readonly id: string;
  readonly uuid: string;
  readonly data: string;
  readonly opts: object;
}

/** Arguments of a script of BullMQ that adds one job: its keys, then the packed job, its data and its packed options. */
interface Call {
  readonly script: string;
  readonly args: readonly (string | Buffer)[];
}

/** Arguments of a job for BullMQ's script. */
const [PACKED, DATA, OPTS] = [-3, -2, -1];

/**
 * Returns the script that adds a batch. Its first key is the set of finished uuids; the others are those of BullMQ's script.
 * Its first arguments are the prefix of the keys of jobs, `1` if finished tasks are added too, and the options. Each job has
 * four more: id, uuid, packed job and data.
 * @param addOne BullMQ's script
 */
function luaOf(addOne: string): string {
  return `
local function addOne(KEYS, ARGV)
${addOne}
end
local keys = { unpack(KEYS, 2) }
local prefix, again, opts = ARGV[1], ARGV[2] == '1', ARGV[3]
local answers = {}
for i = 4, #ARGV, 4 do
  local answer = ${ADDED}
  if redis.call('EXISTS', prefix .. ARGV[i]) == 1 then answer = ${PRESENT}
  elseif not again and redis.call('SISMEMBER', KEYS[1], ARGV[i + 1]) == 1 then answer = ${FINISHED}
  else addOne(keys, { ARGV[i + 2], ARGV[i + 3], opts }) end
  answers[#answers + 1] = answer
end
return answers`;
}

/**
 * Adds jobs of equal options, each unless it is in the queue or its task is finished, in one atomic step.
 * @param again true to add finished tasks too
 * @returns for each job `ADDED`, `PRESENT` or `FINISHED`
 */
export async function addJobs(bull: Bull, jobs: readonly NewJob[], again: boolean): Promise<number[]> {
  await bull.backend.client; // from then on the scripts are defined
  const calls = jobs.map((job) => callOf(bull, job));
  const [first] = calls;
  if (first === undefined) return [];
  const keys = first.args.slice(0, PACKED);
  const values: (string | Buffer)[] = [bull.backend.toKey(''), again ? '1' : '0', first.args.at(OPTS) ?? ''];
  for (const [i, { id, uuid }] of jobs.entries()) {
    const { args } = calls[i] as Call;
    values.push(id, uuid, args.at(PACKED) ?? '', args.at(DATA) ?? '');
  }
  const name = scriptFor(bull, first.script);
  // A separate pipeline: one that ioredis opened automatically lacks the scripts that were defined later.
  const pipeline = bull.link.client.pipeline() as unknown as Record<
    string,
    (...args: unknown[]) => ChainableCommander
  >;
  const replies = await pipeline[name]?.(keys.length + 1, finishedKey(bull.name), ...keys, ...values).exec();
  const [error, answers] = replies?.[0] ?? [];
  if (error) throw error;
  return answers as number[];
}

/** Returns the call by which BullMQ would add a job. */
function callOf({ backend }: Bull, job: NewJob): Call {
  let call: Call | undefined;
  const runCommand = (script: string, args: Call['args']): void => {
    call = { script, args };
  };
  void backend.addJobToTransaction({ runCommand } as never, job as never, job.id);
  return call as unknown as Call; // it calls `runCommand` before it first waits
}

/** Returns the name of the script that adds a batch of jobs by a script of BullMQ. */
function scriptFor({ link: { client } }: Bull, script: string): string {
  const name = `taskpipe:${script}`;
  const scripts = client.scriptsSet as Readonly<Record<string, { lua: string }>>;
  if (!Object.hasOwn(scripts, name))
    client.defineCommand(name, { lua: luaOf((scripts[script] as { lua: string }).lua) });
  return name;
}
