import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { environment } from '../../support/run.ts';
import { after, LIMIT, type Notes } from './live.ts';
import type { Program } from './program.ts';

/** The ledger that all writers share. */
export const LEDGER = 'ledger';

/** How many records a writer is given at once; how many may be without an answer; how many it is given in one life. */
const PORTION = 150;
const AHEAD = 600;
const MOST = 1200;

/** A process that adds to the ledger, again and again, and what came of its records. */
export interface Writer {
  readonly name: string;
  /** The file that it saves to; `task-done mark` has none. */
  readonly out: string | undefined;
  /** The uuids of all records that it was given. */
  readonly given: Set<string>;
  /** Those that it has passed on: they are in the ledger for good. */
  readonly acknowledged: Set<string>;
  /** Starts it in the folder. */
  start(): ChildProcess;
  readonly add: Notes['add'];
}

/** When a writer is killed: so many milliseconds after its start, or once it has passed so many on. */
export type Moment = { readonly at: number } | { readonly acknowledged: number };

const WRITERS = [
  ['a', 'a.csv', `a.csv --tee --flush 100`],
  ['b', 'b.ndjson', `b.ndjson --tee --flush 7`],
  ['c', undefined, ''],
  ['d', undefined, ''],
] as const;

export function writersIn(place: { program: Program; folder: string; add: Notes['add'] }): readonly Writer[] {
  const { program, folder, add } = place;
  return WRITERS.map(([name, out, options]) => {
    const [command, args] =
      out === undefined
        ? ['task-done', ['mark', LEDGER, '--quiet']]
        : ['task-save', [...options.split(' '), '--ledger', LEDGER, '--quiet']];
    const start = (): ChildProcess => spawn(command, args, { cwd: folder, env: environment(program.env) });
    return { name, out, given: new Set(), acknowledged: new Set(), start, add };
  });
}

/**
 * Lets a writer live until it is killed; without a moment, until it has done all that it was given.
 * @returns false where it was turned away as the ledger was being compacted
 */
export async function live(writer: Writer, moment?: Moment): Promise<boolean> {
  const { name, add } = writer;
  const child = writer.start();
  const closed = once(child, 'close') as Promise<[code: number | null, signal: string | null]>;
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const kill = (): void => void child.kill('SIGKILL');
  const hangs = setTimeout(() => {
    add('hang', `${name} took longer than ${LIMIT} ms for its records`);
    kill();
  }, LIMIT);
  if (moment !== undefined && 'at' in moment) after(moment.at).then(kill);
  feed(writer, child, moment, kill);
  const [code, signal] = await closed;
  clearTimeout(hangs);
  if (signal === 'SIGKILL' || code === 75) return signal === 'SIGKILL';
  if (code !== 0 || moment !== undefined) add('exit code', `${name} ended with ${code}: ${stderr}`);
  return true;
}

/** Gives a writer what it has not answered, then more as it answers. */
function feed(writer: Writer, child: ChildProcess, moment: Moment | undefined, kill: () => void): void {
  const { given, acknowledged } = writer;
  const before = given.size;
  const give = (uuids: readonly string[]): void =>
    void child.stdin?.write(uuids.map((uuid) => `${JSON.stringify({ uuid, n: uuid.length })}\n`).join(''));
  const giveMore = (): void => {
    if (given.size - before >= MOST || given.size - acknowledged.size >= AHEAD) return;
    const more = Array.from({ length: PORTION }, (_, i) => uuidOf(writer, given.size + i));
    for (const uuid of more) given.add(uuid);
    give(more);
  };
  child.stdin?.on('error', () => {}); // it was killed
  give([...given].filter((uuid) => !acknowledged.has(uuid)));
  if (moment === undefined) child.stdin?.end();
  else giveMore();
  let passed = 0;
  onLines(child, (uuids) => {
    passed += uuids.length;
    for (const uuid of uuids) acknowledged.add(uuid);
    if (moment === undefined) return;
    giveMore();
    if ('acknowledged' in moment && passed >= moment.acknowledged) kill();
  });
}

/** Long ones, so that an append takes several pages, and some that are not plain ASCII. */
function uuidOf({ name }: Writer, n: number): string {
  return `${name}-${n}-${(n % 10 === 0 ? 'ü' : 'u').repeat(80)}`;
}

/** Hears of the lines that come out: whole ones only. */
function onLines(child: ChildProcess, hear: (uuids: readonly string[]) => void): void {
  let tail = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (tail + text).split('\n');
    tail = lines.pop() as string;
    hear(lines.map((line) => (JSON.parse(line) as { uuid: string }).uuid));
  });
}
