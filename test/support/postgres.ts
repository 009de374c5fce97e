import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { afterAll, type TestContext } from 'vitest';
import { freePort } from './port.ts';
import { environment, freshFolder } from './run.ts';

/** Server of PostgreSQL for tests: on a free port, with the data in a fresh folder. */
export interface TestPostgres {
  readonly port: number;
  /** `postgres://postgres@127.0.0.1:PORT/postgres` */
  readonly url: string;
  /** Folder of the data and of the unix socket. */
  readonly folder: string;
  /** Runs SQL with psql. Returns its output, with `|` between columns. @throws with the error of psql */
  sql(text: string, database?: string): string;
  /** Creates a database. Returns its url. */
  database(name: string): string;
  /** Kills the server and all of its sessions with SIGKILL. Resolves when none is left. */
  kill(): Promise<void>;
  /** Suspends the server and its sessions, or resumes them. */
  freeze(isFrozen: boolean): void;
  /** Stops the server cleanly; clients are disconnected. */
  stop(): Promise<void>;
  /** Starts the server again with the data on its disk. Resolves when it answers. */
  start(): Promise<void>;
}

const VERSIONS = '/usr/lib/postgresql';

/** Folder of the programs of the newest version; undefined if it is not installed. */
export const postgresPrograms: string | undefined = (existsSync(VERSIONS) ? readdirSync(VERSIONS) : [])
  .sort((a, b) => Number(b) - Number(a))
  .map((version) => join(VERSIONS, version, 'bin'))
  .find((folder) => existsSync(join(folder, 'initdb')));

/** Skips a test if PostgreSQL is not installed. */
export async function needsPostgres(context: TestContext): Promise<void> {
  if (postgresPrograms === undefined) context.skip('PostgreSQL is not installed');
}

const running = new Set<ChildProcess>();
afterAll(() => {
  for (const child of running) signalAll(child, 'SIGKILL');
});

/** PostgreSQL refuses to run as root; Debian's package makes a user for it. */
const isRoot = process.getuid?.() === 0;

function asUser(command: readonly string[]): readonly [string, readonly string[]] {
  if (!isRoot) return [command[0] as string, command.slice(1)];
  return ['setpriv', ['--reuid=postgres', '--regid=postgres', '--clear-groups', ...command]];
}

/**
 * Starts a server.
 * @param settings lines of its configuration; `fsync=off` is one of the defaults, as tests do not cut the power
 */
export async function startPostgres(settings: readonly string[] = []): Promise<TestPostgres> {
  const bin = postgresPrograms as string;
  const folder = freshFolder();
  const data = join(folder, 'data');
  mkdirSync(data);
  if (isRoot) {
    const [uid, gid] = ['-u', '-g'].map((flag) =>
      Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' })),
    );
    for (const path of [folder, data]) chownSync(path, uid as number, gid as number);
  }
  const [initdb, initWords] = asUser([
    join(bin, 'initdb'),
    '-D',
    data,
    '-U',
    'postgres',
    '-A',
    'trust',
    '--no-sync',
    '-E',
    'UTF8',
    '--locale=C.UTF-8',
  ]);
  execFileSync(initdb, initWords, { stdio: 'pipe', cwd: folder });
  const port = await freePort();
  const options = [
    ...[
      'fsync=off',
      'full_page_writes=off',
      `unix_socket_directories=${folder}`,
      'listen_addresses=127.0.0.1',
    ],
    ...['max_connections=60', 'shared_buffers=32MB', 'log_min_messages=log', ...settings],
  ];
  let child: ChildProcess;
  const start = async (): Promise<void> => {
    const words = options.flatMap((option) => ['-c', option]);
    const [program, args] = asUser([join(bin, 'postgres'), '-D', data, '-p', String(port), ...words]);
    child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], cwd: folder, env: environment() });
    running.add(child);
    await ready(child);
  };
  const end = async (act: () => void): Promise<void> => {
    const gone = child.exitCode === null && child.signalCode === null ? once(child, 'exit') : undefined;
    act();
    await gone;
    running.delete(child);
  };
  const urlOf = (name: string): string => `postgres://postgres@127.0.0.1:${port}/${name}`;
  const sql = (text: string, name = 'postgres'): string =>
    execFileSync(join(bin, 'psql'), ['-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', urlOf(name), '-c', text], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    }).trim();
  await start();
  return {
    ...{ port, folder, start, sql, url: urlOf('postgres') },
    database(name) {
      sql(`create database ${name}`);
      return urlOf(name);
    },
    async kill() {
      let killed: readonly number[] = [];
      await end(() => {
        killed = signalAll(child, 'SIGKILL');
      });
      // a session that has not ended yet holds the shared memory, and the next start is refused
      while (!killed.every((pid) => 'ZX'.includes(stateOf(pid)))) await setTimeout(5);
    },
    freeze: (isFrozen) => signalAll(child, isFrozen ? 'SIGSTOP' : 'SIGCONT'),
    stop: () => end(() => child.kill('SIGINT')),
  };
}

/** Waits until a server accepts connections. */
async function ready(child: ChildProcess): Promise<void> {
  const lines = createInterface({ input: child.stderr as NodeJS.ReadableStream });
  let log = '';
  await new Promise<void>((resolve, reject) => {
    lines.on('line', (line) => {
      if (log.length < 10_000) log += `${line}\n`;
      if (line.includes('database system is ready to accept connections')) resolve();
    });
    child.once('exit', () => reject(new Error(`postgres ended:\n${log}`)));
  });
}

/**
 * Sends a signal to a server and its sessions, each of which has its own process group. The server is stopped first:
 * a session that it forks meanwhile would be missed.
 * @returns the process ids
 */
function signalAll(child: ChildProcess, signal: NodeJS.Signals): readonly number[] {
  const { pid } = child;
  if (pid === undefined || !child.kill('SIGSTOP')) return [];
  while (!'TtZX'.includes(stateOf(pid))); // takes effect within microseconds
  const file = `/proc/${pid}/task/${pid}/children`;
  const sessions = existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ').filter(Boolean) : [];
  const all = [pid, ...sessions.map(Number)];
  for (const id of all) {
    try {
      process.kill(id, signal);
    } catch {} // it has ended
  }
  return all;
}

/** Returns the state of a process as in /proc/PID/stat, e.g. `S` sleeping, `T` stopped, `Z` ended; `X` if there is none. */
function stateOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.charAt(stat.lastIndexOf(')') + 2);
  } catch {
    return 'X';
  }
}
