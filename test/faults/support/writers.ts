import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { environment } from '../../support/run.ts';
import { after, LIMIT, type Notes } from './live.ts';
import type { Program } from './program.ts';

export const LEDGER = 'ledger';

/** Numbers of records: sent at once, unacknowledged at most, and sent in one life of a writer. */
const PORTION = 150;
const AHEAD = 600;
const MOST = 1200;

/** Process that appends to the ledger, with the fate of its records over all restarts. */
export interface Writer {
  readonly name: string;
  /** Path of its output; undefined for `task-done mark`. */
  readonly out: string | undefined;
  /** Uuids of all records that it received. */
  readonly given: Set<string>;
  /** Uuids that it has emitted: they must be in the ledger. */
  readonly acknowledged: Set<string>;
  start(): ChildProcess;
  readonly add: Notes['add'];
}

/** Moment of a kill: milliseconds after the start, or number of acknowledged records. */
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
 * Runs a writer until it is killed; without a moment, until it has processed all its records.
 * @returns false if the ledger was locked by a compaction
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

/** Sends the unacknowledged records, then more as the writer acknowledges them. */
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

/** Returns a long uuid, so that an append takes several pages. Some are not ASCII. */
function uuidOf({ name }: Writer, n: number): string {
  return `${name}-${n}-${(n % 10 === 0 ? 'ü' : 'u').repeat(80)}`;
}

/** Calls `hear` with the uuids of complete output lines. */
function onLines(child: ChildProcess, hear: (uuids: readonly string[]) => void): void {
  let tail = '';
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    const lines = (tail + text).split('\n');
    tail = lines.pop() as string;
    hear(lines.map((line) => (JSON.parse(line) as { uuid: string }).uuid));
  });
}
