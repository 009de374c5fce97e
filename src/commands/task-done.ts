import { TaskpipeError } from '../core/base/errors.ts';
import { counted, number, textOf } from '../core/base/format.ts';
import { quoted } from '../core/base/terminal-text.ts';
import { type Command, defineCommand, type Io } from '../core/options/command.ts';
import { flag, path, size } from '../core/options/declare.ts';
import type { OptionValues } from '../core/options/option.ts';
import { scrubbed } from '../core/options/secrets.ts';
import { patience } from '../core/options/server-patience.ts';
import { nearest } from '../core/options/suggest.ts';
import { withoutUnused } from '../core/options/unused-options.ts';
import { uuidFault } from '../core/record/task.ts';
import { withPassword } from '../core/redis/redis-address.ts';
import { checkPlaces, filePath, STDIN, STDOUT } from '../core/storage/path-conflicts.ts';
import { MAX_LINE } from '../core/text/lines.ts';
import { flushed, openRejects } from '../core/text/rejects.ts';
import { type Ledger, openLedger, unusedLedgerOptions } from '../ledgers/index.ts';
import { hasAll, mark, type Named, readNamed, sift, unmark } from '../stages/ledger-filter.ts';

const options = {
  yes: flag('confirm clear, which forgets everything'),
  rejects: path('write lines that are neither a record nor a uuid to this file, as NDJSON'),
  maxLine: size('maximum length of an input line', { default: MAX_LINE, defaultText: '16MB' }),
  patience,
};

/** Context of a verb. */
interface Context {
  readonly ledger: Ledger;
  readonly values: OptionValues<typeof options>;
  readonly io: Io;
  /** Uuids of the command line, or the lines of standard input if there are none. */
  readonly input: AsyncIterable<readonly Named[]>;
  readonly hasOperands: boolean;
}

/** Verb, with its action on the ledger. */
interface Verb {
  readonly words: string;
  /** Set if the verb writes no uuids to stdout. */
  readonly isSilent?: true;
  /** Set if the verb is about the ledger as a whole. Default: it takes uuids. */
  readonly takesNoUuids?: true;
  /** Runs the verb. @returns the exit code */
  act(context: Context): Promise<0 | 1>;
}

const verbs: Readonly<Record<string, Verb>> = {
  mark: {
    words:
      'a filter: marks SUCCESS records, records without "run" and bare uuids as finished, and passes all on',
    act: (context) => write(context, mark),
  },
  unmark: {
    words: 'filter that takes uuids back, so that their tasks are loaded again, and passes all lines on',
    act: (context) => write(context, unmark),
  },
  skip: {
    words: 'filter that passes unfinished tasks on',
    act: (context) => passOn(context, sift(context.input, context.ledger, 'unfinished')),
  },
  only: {
    words: 'filter that passes finished tasks on',
    act: (context) => passOn(context, sift(context.input, context.ledger, 'finished')),
  },
  has: {
    words: 'exits 0 if all given uuids are finished, else 1; prints nothing',
    isSilent: true,
    act: async ({ input, ledger }) => ((await hasAll(input, ledger)) ? 0 : 1),
  },
  list: { words: 'writes the finished uuids, each once', takesNoUuids: true, act: list },
  count: { words: 'writes the number of finished uuids', takesNoUuids: true, act: count },
  check: {
    words: 'reports torn and foreign lines; exits 1 if there are any',
    takesNoUuids: true,
    isSilent: true,
    act: check,
  },
  compact: {
    words: 'removes superseded lines, while no process writes',
    takesNoUuids: true,
    isSilent: true,
    act: compact,
  },
  clear: {
    words: 'forgets everything (with --yes), while no process writes',
    takesNoUuids: true,
    isSilent: true,
    act: clear,
  },
};

async function write({ ledger, input, hasOperands, io }: Context, verb: typeof mark): Promise<0> {
  const writer = await ledger.open();
  try {
    for await (const batch of verb(input, writer)) if (!hasOperands) await io.write(textOf(batch));
  } finally {
    await writer.close();
  }
  return 0;
}

async function passOn({ io }: Context, batches: AsyncIterable<readonly Named[]>): Promise<0> {
  for await (const batch of batches) await io.write(textOf(batch));
  return 0;
}

async function list({ ledger, io }: Context): Promise<0> {
  for await (const names of ledger.list()) {
    if (io.aborting.aborted) break;
    if (names.length > 0) await io.write(`${names.join('\n')}\n`);
  }
  return 0;
}

async function count({ ledger, io }: Context): Promise<0> {
  await io.write(`${(await ledger.finished()).size}\n`);
  return 0;
}

async function compact({ ledger, io }: Context): Promise<0> {
  const { before, after } = await ledger.compact();
  io.info(`${ledger.place}: ${counted(before, 'line')} before, ${counted(after, 'line')} now`);
  return 0;
}

async function clear({ ledger, io, values }: Context): Promise<0> {
  if (!values.yes) {
    throw new TaskpipeError(
      'USAGE',
      `clear makes ${ledger.place} forget everything; if that is meant, add --yes`,
    );
  }
  await ledger.clear();
  io.info(
    `${ledger.place} is empty now; what outputs hold is still known to task-save, so move them away too`,
  );
  return 0;
}

async function check({ ledger, io }: Context): Promise<0 | 1> {
  const { lines, bad, finished, undone } = await ledger.check((line, message) =>
    io.warn(`${ledger.place}:${line}: ${message}`),
  );
  io.info(
    `${ledger.place}: ${counted(lines, 'line')}, ${number(finished)} finished, ${number(undone)} undone, ${number(bad)} torn or foreign`,
  );
  return bad === 0 ? 0 : 1;
}

/** Passes batches on, and shows progress. */
async function* shown(batches: AsyncIterable<readonly Named[]>, io: Io): AsyncGenerator<readonly Named[]> {
  let read = 0;
  io.progress(() => ({ through: read, counts: [{ count: read, words: 'read' }] }));
  for await (const batch of batches) {
    read += batch.length;
    yield batch;
  }
}

/** Reads batches once they are asked for. Until then a signal ends the process at once, as during a wait for Redis. */
async function* onceAsked(read: () => AsyncIterable<readonly Named[]>): AsyncGenerator<readonly Named[]> {
  yield* read();
}

async function* fromOperands(uuids: readonly string[]): AsyncGenerator<readonly Named[]> {
  yield uuids.map((uuid) => ({ uuid, line: uuid, isSuccess: true }));
}

/** Verbs that append to the ledger. */
const MARKING = ['mark', 'unmark'];

/**
 * Refuses one file for two uses: a ledger that is marked with its own lines would grow forever.
 * @throws {TaskpipeError} `USAGE`
 */
function checkFiles(verb: string, ledger: string, rejects: string | undefined, hasOperands: boolean): void {
  const place = { use: 'LEDGER', path: filePath(ledger) };
  const written = [{ use: '--rejects', path: rejects }, STDOUT];
  const read = hasOperands || verbs[verb]?.takesNoUuids ? [] : [STDIN];
  if (MARKING.includes(verb)) checkPlaces([place, ...written], read);
  else checkPlaces(written, [place, ...read]);
}

/** Returns the fault of the operands, with what to type instead; undefined if they are valid. */
function usageFault(
  verb: string | undefined,
  place: string | undefined,
  uuids: readonly string[],
): string | undefined {
  const names = Object.keys(verbs);
  if (verb === undefined) return `give a verb and a ledger, as in task-done count done.jsonl; ${theVerbs()}`;
  if (!Object.hasOwn(verbs, verb)) {
    const near = nearest(verb, names);
    return `unknown verb ${JSON.stringify(verb)}; ${near === undefined ? theVerbs() : `did you mean ${near}?`}`;
  }
  if (place === undefined || place === '') {
    return `give the ledger after the verb, as in task-done ${verb} done.jsonl`;
  }
  if (uuids.length > 0 && verbs[verb]?.takesNoUuids) {
    return `${verb} takes a ledger and no uuids; got ${quoted(scrubbed(uuids[0] as string))}`;
  }
  const bad = uuids.find((uuid) => uuidFault(uuid) !== undefined);
  return bad === undefined ? undefined : `${JSON.stringify(bad)} can't be a uuid: ${uuidFault(bad)}`;
}

function theVerbs(): string {
  return `the verbs are ${Object.keys(verbs).join(', ')}`;
}

export const command: Command = defineCommand({
  name: 'task-done',
  summary: 'Knows which tasks are finished: reads and keeps the ledger.',
  usage: 'VERB LEDGER [UUID...]',
  about: `A ledger is a JSONL file of the uuids that are finished; many may read and write it at once. One in Redis is named by its url, redis://HOST/0#NAME: it is shared by machines, and by the task-queue of that name. One in PostgreSQL is postgres://HOST/DATABASE?ledger=NAME; without a name, the rows of a table of task-save say what is finished (?table=NAME).

Uuids are taken from the command line or else from the standard input, one a line: a record, or a bare uuid. A filter passes lines on as they came.

With uuids on the command line mark and unmark read and write nothing else.`,
  verbs: Object.fromEntries(Object.entries(verbs).map(([name, { words }]) => [name, words])),
  takesFiles: true,
  options,
  examples: [
    ['task-done count done.jsonl', 'count the finished tasks'],
    ['task-load a.csv | task-done skip done.jsonl', 'the tasks that are not'],
    ['./my-program < tasks.ndjson | task-done mark done.jsonl', 'mark what another program has done'],
    ['task-done unmark done.jsonl 6ba7b811-9dad-11d1-80b4-00c04fd430c8', 'let a task run again'],
    ['task-done has done.jsonl a17 && echo finished', 'ask for one'],
  ],
  isFilter: (_, [verb = '', , ...uuids]) =>
    !(verbs[verb]?.isSilent || (MARKING.includes(verb) && uuids.length > 0)),
  async run(values, operands, io) {
    const [verb, place, ...uuids] = operands;
    const fault = usageFault(verb, place, uuids);
    if (fault !== undefined) throw new TaskpipeError('USAGE', fault);
    checkFiles(verb as string, place as string, values.rejects, uuids.length > 0);
    withoutUnused(values, unusedLedgerOptions(place), io.typed);
    const rejects = await openRejects({ file: values.rejects, warn: io.warn });
    const lineOptions = {
      source: 'stdin',
      reject: rejects.reject,
      truncated: io.truncated,
      maxLine: values.maxLine,
    };
    const input =
      uuids.length > 0
        ? fromOperands(uuids)
        : onceAsked(() => shown(flushed(readNamed(io.stdin(io.aborting), lineOptions), rejects), io));
    const ledger = openLedger(withPassword(place as string, io.env), io.warn, {
      ...{ patience: values.patience, stopping: io.stopping, aborting: io.aborting },
    });
    const { act } = verbs[verb as string] as Verb;
    try {
      const code = await act({ ledger, values, io, input, hasOperands: uuids.length > 0 });
      return rejects.count > 0 ? 1 : code;
    } finally {
      await rejects.close();
    }
  },
});
