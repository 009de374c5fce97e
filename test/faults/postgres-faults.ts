import type { ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { TestPostgres } from '../support/postgres.ts';
import { type Ended, ended, freshFolder, sh, start } from '../support/run.ts';
import { until } from '../support/until.ts';
import { after, inLanes, LIMIT, type Notes, randomFrom } from './support/live.ts';

/*
 * task-save to PostgreSQL with its ledger in the same database: saves that are killed, and saves whose server is
 * killed, cut off, locked or read-only while they run.
 */

/** Records of a save that is killed. */
const RECORDS = 300;

/** Time in milliseconds within which a save is killed: from before its first row to after its last. */
const SPAN = 900;

/** Savers of one table while the server fails. */
const SAVERS = 3;

/** Longest time that a save waits for its server. */
const PATIENCE = '40s';

const RUN =
  '"run":{"state":"SUCCESS","as":"result","attempts":1,"at":"2024-01-01T00:00:00.000Z","ms":1},"result":1';

function record(uuid: string, k: number): string {
  return `{"uuid":"${uuid}","k":${k},"c${k % 7}":"é",${RUN}}\n`;
}

function saveTo(server: TestPostgres, table: string, flush: number): string {
  const place = `${server.url}?ledger=${table}`;
  return `exec task-save '${server.url}' --table ${table} --ledger '${place}' --tee --flush ${flush} --flush-interval 20ms --patience ${PATIENCE}`;
}

/** Returns the uuids that were acknowledged so far. */
function acknowledged(child: ChildProcess): Set<string> {
  const uuids = new Set<string>();
  createInterface({ input: child.stdout as Readable }).on('line', (line) => {
    const uuid = /"uuid":"([^"]+)"/.exec(line)?.[1];
    if (uuid !== undefined) uuids.add(uuid);
  });
  return uuids;
}

function column(server: TestPostgres, sql: string): readonly string[] {
  return server.sql(sql).split('\n').filter(Boolean);
}

/** Compares a table with its marks, and with the records that must be in it. */
function judge(
  server: TestPostgres,
  table: string,
  must: ReadonlySet<string>,
  name: string,
  { add }: Notes,
): void {
  const exists = server.sql(`select to_regclass('${table}') is not null`) === 't';
  const all = exists ? column(server, `select uuid from ${table}`) : [];
  const rows = new Set(all);
  const hasMarks = server.sql("select to_regclass('taskpipe_marks') is not null") === 't';
  const marks = !hasMarks
    ? []
    : column(server, `select uuid from taskpipe_marks where ledger = '${table}' and finished`);
  if (rows.size < all.length) add('double', `${name}: ${all.length - rows.size} rows`);
  for (const uuid of must) if (!rows.has(uuid)) add('lost', `${name}: ${uuid}`);
  for (const uuid of marks) if (!rows.has(uuid)) add('false ledger line', `${name}: ${uuid}`);
  if (marks.length !== rows.size) add('other', `${name}: ${rows.size} rows and ${marks.length} marks`);
}

/** Kills saves at random moments, and runs each again to its end. */
export async function killedSaves(server: TestPostgres, trials: number, report: Notes): Promise<void> {
  const random = randomFrom(41);
  const moments = Array.from({ length: trials }, (_, i) => ({ i, moment: random() * SPAN }));
  await inLanes(3, moments, async ({ i, moment }) => {
    const table = `killed${i}`;
    const uuids = Array.from({ length: RECORDS }, (_, k) => `t${k}`);
    const command = saveTo(server, table, 7);
    const child = start(command);
    const acks = acknowledged(child);
    child.stdin?.on('error', () => {});
    const end = ended(child);
    await after(300 * random()); // the process starts
    for (const [k, uuid] of uuids.entries()) child.stdin?.write(record(uuid, k));
    await after(moment);
    child.kill('SIGKILL');
    await end;
    report.count('saves killed');
    judge(server, table, acks, `${table} after the kill`, report);
    const input = uuids.map(record).join('');
    const again = await sh(command, { cwd: freshFolder(), input });
    if (again.code !== 0) report.add('exit code', `${table}: ${again.code} ${again.stderr}`);
    judge(server, table, new Set(uuids), `${table} at the end`, report);
  });
}

/** Fault of a server while it is written to. It is over when this resolves. */
type ServerFault = (server: TestPostgres, table: string) => Promise<void>;

const FAULTS: Readonly<Record<string, ServerFault>> = {
  'servers killed': async (server) => {
    await server.kill();
    await server.start();
  },
  'servers stopped': async (server) => {
    await server.stop();
    await after(300);
    await server.start();
  },
  'sessions cut': async (server) => {
    server.sql(
      'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and usename is not null',
    );
  },
  'tables locked': async (server, table) => {
    await sh(`psql -Xqd '${server.url}' -c 'begin; lock table ${table}; select pg_sleep(0.5); commit'`);
  },
  'times read-only': async (server) => {
    server.sql('alter system set default_transaction_read_only = on');
    server.sql('select pg_reload_conf()');
    await after(500);
    server.sql('alter system reset default_transaction_read_only');
    server.sql('select pg_reload_conf()');
  },
};

/** Lets a server fail while several processes save to one table, half of their records the same. */
export async function failingServer(
  server: TestPostgres,
  times: Readonly<Record<string, number>>,
  report: Notes,
): Promise<void> {
  const random = randomFrom(7);
  const table = 'failing';
  const must = new Set<string>();
  const savers = Array.from({ length: SAVERS }, () => {
    const child = start(saveTo(server, table, 20));
    child.stdin?.on('error', () => {});
    return { child, acks: acknowledged(child), end: ended(child) };
  });
  let isOver = false;
  const feeding = Promise.all(
    savers.map(async ({ child }, s) => {
      for (let k = 0; !isOver; k++) {
        const uuid = k % 2 === 0 ? `both${k}` : `s${s}-${k}`;
        must.add(uuid);
        child.stdin?.write(record(uuid, k));
        if (k % 10 === 0) await after(20);
      }
      child.stdin?.end();
    }),
  );
  await until(() => server.sql(`select to_regclass('${table}') is not null`) === 't');
  const faults = Object.entries(times).flatMap(([name, count]) => Array<string>(count).fill(name));
  for (const name of faults.sort(() => random() - 0.5)) {
    await after(50 + 250 * random());
    await (FAULTS[name] as ServerFault)(server, table);
    report.count(name);
  }
  isOver = true;
  await feeding;
  const ends = await Promise.all(savers.map(({ end }) => within(end)));
  for (const [s, { code, stderr }] of ends.entries())
    if (code !== 0) report.add('exit code', `saver ${s}: ${code} ${stderr.slice(-500)}`);
  for (const { acks } of savers) for (const uuid of acks) must.add(uuid);
  judge(server, table, must, 'the table of a failing server', report);
}

/** Waits for the end of a process for a bounded time. */
async function within(end: Promise<Ended>): Promise<Ended> {
  const late: Ended = { stdout: '', stderr: 'it did not end', code: -1, signal: null };
  return Promise.race([end, after(2 * LIMIT).then(() => late)]);
}
