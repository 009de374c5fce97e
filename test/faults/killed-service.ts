import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Agent, request } from 'undici';
import { openDatabase } from '../../src/core/storage/sqlite-database.ts';
import { freePort } from '../support/port.ts';
import { environment } from '../support/run.ts';
import { until } from '../support/until.ts';
import { after, inFolder, LIMIT, type Notes, notes } from './support/live.ts';
import type { Program } from './support/program.ts';
import type { Report } from './support/report.ts';

/*
 * kill -9 of task-serve, of its task-exec, or of both, while many clients post tasks: each task that was accepted must end
 * exactly once in the store.
 */

const CLIENTS = 200;
/** Tasks that are accepted between two kills. */
const BETWEEN = 200;
const KINDS = ['service', 'worker', 'both'] as const;

/** A service that is killed and started again at the same port. */
interface Service {
  readonly url: string;
  kill(kind: (typeof KINDS)[number]): Promise<void>;
  /** Ends it by SIGTERM. Returns its exit code. */
  stop(): Promise<number | null>;
  /** Kills it, if it is running. */
  close(): void;
}

/** @param each how often each of the service, its worker, and both are killed */
export async function killedService(program: Program, each: number): Promise<Report> {
  const report = notes();
  await inFolder(async (cwd) => {
    const service = await startService(program, cwd);
    try {
      const accepted = await postAndKill(service, { each, cwd }, report);
      await allEnd(cwd, report);
      const code = await service.stop();
      if (code !== 143) report.add('exit code', `task-serve ended with ${code}`);
      await examine(cwd, accepted, report);
    } finally {
      service.close();
    }
  });
  return report;
}

/** Returns the accepted tasks: the number in each, by its id. */
async function postAndKill(
  service: Service,
  { each, cwd }: { readonly each: number; readonly cwd: string },
  report: Notes,
): Promise<Map<string, number>> {
  const accepted = new Map<string, number>();
  let isOver = false;
  const posting = post(service.url, accepted, () => isOver);
  for (const [kills, kind] of Array.from({ length: each }, () => KINDS)
    .flat()
    .entries()) {
    // Three deaths, the last one with no other task, are blamed on a task: none must be there at three kills.
    if (kills > 0 && kills % 2 === 0) await olderEnd(cwd);
    const aim = accepted.size + BETWEEN;
    await until(() => accepted.size >= aim);
    await service.kill(kind);
    report.count(kind);
  }
  isOver = true;
  await posting;
  report.figures.tasks = accepted.size;
  return accepted;
}

async function startService(program: Program, cwd: string): Promise<Service> {
  writeFileSync(join(cwd, 'work.mjs'), 'export default async (task) => ({ n: task.n * 2 });\n');
  const port = await freePort();
  const words = ['/api', '--port', String(port), '--exec', 'task-exec --module work.mjs -j 20 --quiet'];
  const start = (): ReturnType<typeof spawn> =>
    spawn('task-serve', words, { cwd, env: environment(program.env), stdio: 'ignore' });
  let service = start();
  return {
    url: `http://127.0.0.1:${port}/api`,
    async kill(kind) {
      if (kind !== 'service') await killWorker(service.pid as number);
      if (kind === 'worker') return;
      const exit = once(service, 'exit');
      service.kill('SIGKILL');
      await exit;
      service = start();
    },
    async stop() {
      const exit = once(service, 'exit');
      service.kill('SIGTERM');
      return (await exit)[0];
    },
    close: () => void service.kill('SIGKILL'),
  };
}

/** Kills the process that a service has started, once there is one. */
async function killWorker(parent: number): Promise<void> {
  await until(() => {
    try {
      const [pid] = execFileSync('pgrep', ['-P', String(parent)], { encoding: 'utf8' }).split('\n');
      return process.kill(Number(pid), 'SIGKILL');
    } catch {
      return false; // none yet
    }
  });
}

/** Posts tasks by many clients, each again until it is accepted. */
async function post(url: string, accepted: Map<string, number>, isOver: () => boolean): Promise<void> {
  const agent = new Agent({ connections: CLIENTS });
  const headers = { 'content-type': 'application/json' };
  let next = 0;
  const client = async (): Promise<void> => {
    while (!isOver()) {
      const n = next++;
      for (let isTaken = false; !isTaken; ) {
        try {
          const body = `{"data":{"n":${n}}}`;
          const answer = await request(url, { dispatcher: agent, method: 'POST', headers, body });
          const { data } = (await answer.body.json()) as { data: { task_id: string } };
          isTaken = answer.statusCode === 200;
          if (isTaken) accepted.set(data.task_id, n);
          else await after(50);
        } catch {
          await after(50); // it was killed, or is not up again
        }
      }
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  await agent.close();
}

/** Waits until the tasks that are in the store now have ended. */
async function olderEnd(cwd: string): Promise<void> {
  const database = await openDatabase(join(cwd, 'tasks.db'), { readonly: true });
  const [[last] = []] = await database.all('select max(seq) from submissions');
  await until(async () => {
    const [[count] = []] = await database.all(
      "select count(*) from submissions where state = 'PENDING' and seq <= ?",
      [last ?? 0],
    );
    return Number(count) === 0;
  });
  database.close();
}

/** Waits until no task is pending, as long as their number changes. */
async function allEnd(cwd: string, report: Notes): Promise<void> {
  const database = await openDatabase(join(cwd, 'tasks.db'), { readonly: true });
  let since = performance.now();
  for (let before = -1; ; await after(100)) {
    const [[count] = []] = await database.all("select count(*) from submissions where state = 'PENDING'");
    const pending = Number(count);
    if (pending === 0) break;
    if (pending !== before) since = performance.now();
    before = pending;
    if (performance.now() - since < LIMIT) continue;
    report.add('hang', `${pending} tasks do not end`);
    break;
  }
  database.close();
}

async function examine(cwd: string, accepted: ReadonlyMap<string, number>, report: Notes): Promise<void> {
  const database = await openDatabase(join(cwd, 'tasks.db'), { readonly: true });
  const rows = await database.all(
    "select t.uuid, t.state, t.result ->> 'n', s.state, t.error_code from tasks t left join submissions s on s.uuid = t.uuid",
  );
  const [[submitted] = []] = await database.all('select count(*) from submissions');
  database.close();
  const ended = new Map(
    rows.map(([uuid, state, n, queued, code]) => [
      String(uuid),
      `${state} ${n} ${queued} ${code ?? ''}`.trim(),
    ]),
  );
  if (ended.size < rows.length) report.add('double', `${rows.length - ended.size} rows`);
  // A task may be accepted whose answer did not arrive; nothing else may have a row.
  if (rows.length !== Number(submitted))
    report.add('other', `${rows.length} rows for ${submitted} accepted tasks`);
  for (const [uuid, n] of accepted) {
    const found = ended.get(uuid);
    if (found === undefined) report.add('lost', `${uuid} was accepted, and has no row`);
    else if (found !== `SUCCESS ${n * 2} SUCCESS`) report.add('other', `${uuid} of ${n}: ${found}`);
  }
}
