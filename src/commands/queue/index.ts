/*
 * task-queue: its verbs and options. Owns the words about a queue. Must not know which engine is behind a url: that is for
 * queues/.
 */
import { TaskpipeError } from '../../core/base/errors.ts';
import { quoted } from '../../core/base/terminal-text.ts';
import { type Command, defineCommand, type Io } from '../../core/options/command.ts';
import { scrubbed } from '../../core/options/secrets.ts';
import { nearest } from '../../core/options/suggest.ts';
import { uuidFault } from '../../core/record/task.ts';
import { checkPlaces, STDIN, STDOUT } from '../../core/storage/path-conflicts.ts';
import { openRejects } from '../../core/text/rejects.ts';
import { openQueues } from '../../queues/index.ts';
import { namesOf, SERVER_FILE, serverOptions, settingsOf, urlOf } from '../../queues/options.ts';
import { options } from './options.ts';
import { takesUuids, verbs } from './queue-verbs.ts';

/** Reads the operands: a verb, a url and uuids. @throws {TaskpipeError} `USAGE` with what to type instead */
function readOperands(operands: readonly string[], url: () => string | undefined) {
  const fail = (words: string): never => {
    throw new TaskpipeError('USAGE', words);
  };
  const [verb, ...more] = operands;
  const names = Object.keys(verbs);
  const all = `the verbs are ${names.join(', ')}`;
  if (verb === undefined)
    return fail(`give a verb and a url, as in task-queue size redis://127.0.0.1/0 --name crawl; ${all}`);
  if (!Object.hasOwn(verbs, verb)) {
    const near = nearest(verb, names);
    return fail(
      `unknown verb ${JSON.stringify(verb)}; ${near === undefined ? all : `did you mean ${near}?`}`,
    );
  }
  const place = isUrl(more[0] ?? '') ? more.shift() : url();
  if (place === undefined)
    return fail(
      `give the url after the verb, as in task-queue ${verb} redis://127.0.0.1/0 --name crawl (or TASK_QUEUE, or --config FILE; ${SERVER_FILE} is read if it exists)`,
    );
  if (more.length > 0 && !takesUuids.includes(verb))
    return fail(`${verb} takes a url and no uuids; got ${quoted(scrubbed(more[0] as string))}`);
  const bad = more.find((uuid) => uuidFault(uuid) !== undefined);
  if (bad !== undefined) return fail(`${JSON.stringify(bad)} can't be a uuid: ${uuidFault(bad)}`);
  return { verb, place, uuids: more };
}

/** Options that only one verb uses. */
const VERB_OF: Readonly<Record<string, string>> = { metrics: 'size', json: 'watch', interval: 'watch' };

/** @throws {TaskpipeError} `USAGE` if a typed option has no effect on the verb */
function checkTyped(verb: string, typed: ReadonlySet<string>): void {
  for (const key of typed) {
    const user = VERB_OF[key];
    if (user !== undefined && user !== verb)
      throw new TaskpipeError('USAGE', `--${key} is an option of ${user}; it does nothing with ${verb}`);
  }
}

/** Verbs that stand in one pipe: their messages about Redis name the verb. */
const PIPED: readonly string[] = ['pull', 'ack', 'nack'];

/** Returns the parts of `io` that a connection uses. */
function redisIo(verb: string, io: Io): Pick<Io, 'env' | 'warn' | 'stopping' | 'aborting'> {
  const { env, stopping, aborting } = io;
  const warn = PIPED.includes(verb) ? (words: string): void => io.warn(`${verb}: ${words}`) : io.warn;
  return { env, warn, stopping, aborting };
}

function isUrl(operand: string): boolean {
  return operand.includes('://');
}

export const command: Command = defineCommand({
  name: 'task-queue',
  summary: 'Shares tasks between machines: a queue in Redis, Valkey, PostgreSQL or NATS JetStream.',
  usage: 'VERB URL --name NAME [UUID...]',
  about: `URL is redis://USER@HOST:PORT/DB, or rediss:// with TLS (?ca=FILE for an authority of your own, ?cert=FILE&key=FILE for a client certificate), or redis+sentinel://HOST:PORT,HOST:PORT/PRIMARY/DB. The password is in TASK_REDIS_PASSWORD or --password-file, rather than in the url, which others can see. A queue in PostgreSQL is postgres://USER@HOST:PORT/DATABASE, with the parameters, variables and files of libpq (PGPASSFILE, ?sslmode=verify-full); it makes its tables itself.

nats://HOST:PORT, or tls:// with TLS, is a queue in NATS JetStream, without --front, --priority, push --delay and --shared. Its password or token is in TASK_NATS_PASSWORD or --password-file.

What is finished is a ledger with the name of the queue, except in NATS: task-done count redis://HOST/0#NAME, or postgres://HOST/DATABASE?ledger=NAME.`,
  verbs: Object.fromEntries(Object.entries(verbs).map(([name, { words }]) => [name, words])),
  options,
  groups: {
    'In place of a URL, as in --config server.json:': Object.keys(serverOptions),
  },
  examples: [
    ['task-load a.csv | task-queue push redis://h/0 --name crawl', 'share the tasks'],
    [
      'task-queue pull redis://h/0 --name q | task-exec --http | task-save b.csv --tee | task-queue ack redis://h/0 --name q',
      'on each machine: do them',
    ],
    ['task-queue push redis://h/0 --name crawl --front --attempts 5 < urgent.ndjson', 'before all others'],
    ['task-queue size redis://h/0 --name crawl | jq .waiting', 'how many still wait'],
    ['task-queue watch redis://h/0 --name crawl', 'see how it goes'],
    ['task-load a.csv | task-queue push postgres://db.example/shop --name crawl', 'the same, in PostgreSQL'],
    ['task-queue size redis://h/0 --name crawl --metrics', 'for Prometheus'],
    ['task-queue dead redis://h/0 --name crawl | jq -r .run.error.message', 'why tasks died'],
    ['task-queue retry redis://h/0 --name crawl', 'let the dead in again'],
    ['task-queue stop redis://h/0 --name crawl --worker m1', 'stop one worker gracefully'],
  ],
  defaultConfig: {
    file: SERVER_FILE,
    mark: 'backend',
    isNeeded: ({ queue, ip, port, backend }, operands) =>
      !queue && ip === undefined && port === undefined && backend === undefined && !operands.some(isUrl),
  },
  isFilter: (_, [verb]) => verb !== undefined && verbs[verb]?.isFilter === true,
  async run(values, operands, io: Io) {
    const { verb, place, uuids } = readOperands(operands, () => urlOf(values));
    const act = verbs[verb];
    if (act === undefined) throw new TaskpipeError('USAGE', `unknown verb ${verb}`);
    checkPlaces(
      [{ use: '--rejects', path: values.rejects }, STDOUT],
      [{ use: '--password-file', path: values.passwordFile }, STDIN],
    );
    const rejects = await openRejects({ file: values.rejects, warn: io.warn });
    try {
      act.check?.(values);
      checkTyped(verb, io.typed);
      const queues = await openQueues(place, namesOf(values.name), settingsOf(values, redisIo(verb, io)));
      try {
        const code = await act.run({ queues: queues.all, place: queues.place, values, io, uuids, rejects });
        return rejects.count > 0 ? 1 : code;
      } finally {
        await queues.close();
      }
    } finally {
      await rejects.close();
    }
  },
});
