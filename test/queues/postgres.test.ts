/* Queues in PostgreSQL: their tables, their connection, and the executables. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import type { PostgresLink, PostgresSession } from '../../src/core/postgres/contract.ts';
import { postgresAddress } from '../../src/core/postgres/postgres-address.ts';
import { openPostgres } from '../../src/core/postgres/postgres-link.ts';
import { Task } from '../../src/core/record/task.ts';
import { openQueues, type Queue } from '../../src/queues/index.ts';
import { oneAtATime, type QueueLink } from '../../src/queues/postgres/queue-link.ts';
import { makeQueueTables } from '../../src/queues/postgres/queue-tables.ts';
import { needsPostgres, postgresPrograms, startPostgres, type TestPostgres } from '../support/postgres.ts';
import { freshFolder, sh } from '../support/run.ts';
import { drain, tasks as lines, push, size } from './commands.ts';
import { all, consume, deadOf, tasks, uuidsOf } from './contract/engines.ts';

let server: TestPostgres;
beforeAll(async () => {
  if (postgresPrograms !== undefined) server = await startPostgres();
}, 60_000);
beforeEach(needsPostgres);

let names = 0;
async function withQueue(work: (queue: Queue, name: string) => Promise<void>): Promise<void> {
  const name = `p${names++}`;
  const queues = await openQueues(server.url, [name], { env: {} });
  try {
    await work(queues.all[0] as Queue, name);
  } finally {
    await queues.close();
  }
}

test('several processes that start at once on an empty database make the tables', async () => {
  const at = `'${server.database('fresh')}' --name q --quiet`;
  const ends = await Promise.all(['a', 'b', 'c', 'd'].map((uuid) => push(at, lines(uuid))));
  expect(ends.map(({ code, stderr }) => [code, stderr])).toEqual(Array(4).fill([0, '']));
  expect(await size(at, '.waiting')).toBe('[4]');
});

test('a user who may not create tables uses those that exist', async () => {
  const url = server.database('lent');
  await sh(`task-queue size '${url}' --name q`);
  server.sql('create role guest login');
  server.sql('grant usage on schema public to guest', 'lent');
  const at = `'${url.replace('postgres@', 'guest@')}' --name q`;
  const refused = await push(at, lines('a'));
  expect([refused.code, refused.stderr]).toEqual([
    74,
    expect.stringMatching(/permission denied .*GRANT … TO guest/),
  ]);
  for (const what of ['tables', 'sequences'])
    server.sql(`grant all on all ${what} in schema public to guest`, 'lent');
  await push(at, lines('a'));
  expect(await drain(at)).toBe(lines('a'));
});

test('push, pull, ack and the ledger of the queue work as commands', async () => {
  const at = `'${server.url}' --name commands`;
  await push(at, lines('a', 'b', 'c'));
  expect(await drain(at)).toBe(lines('a', 'b', 'c'));
  await push(at, lines('a'));
  expect(await size(at, '.waiting, .finished')).toBe('[0,3]');
  const ledger = `'${server.url}?ledger=commands'`;
  expect((await sh(`task-done count ${ledger}`)).stdout).toBe('3\n');
  await sh(`task-done unmark ${ledger} b`);
  expect((await sh(`task-queue push ${at}`, { input: lines('a', 'b') })).stderr).toBe(
    'task-queue: 1 added, 1 finished already\n',
  );
  const { stderr } = await sh(`task-queue clear ${at} --yes`);
  expect(stderr).toContain(
    `task-done clear postgres://127.0.0.1:${server.port}/postgres?ledger=commands --yes`,
  );
});

test('a database whose transactions are serializable by default holds a queue, too', async () => {
  const url = server.database('strict');
  server.sql("alter database strict set default_transaction_isolation = 'serializable'");
  const queues = await openQueues(url, ['q'], { env: {} });
  const [queue] = queues.all as [Queue];
  const others = await openQueues(url, ['q'], { env: {} });
  const [other] = others.all as [Queue];
  const consumer = await consume(queue);
  const counts = await Promise.all([queue.push(tasks('a', 'b')), other.push(tasks('b', 'a'))]);
  expect(counts.map(({ added }) => added).reduce((sum, one) => sum + one)).toBe(2);
  await consumer.take(2);
  const settled = await Promise.all([
    queue.settle(all('done', 'a', 'b')),
    other.settle(all('done', 'b', 'a')),
  ]);
  expect(settled.map(({ done }) => done).reduce((sum, one) => sum + one)).toBe(2);
  await Promise.all([queues.close(), others.close()]);
});

test('a user who may only read can show a queue', async () => {
  const url = server.database('seen');
  await push(`'${url}' --name q`, lines('a'));
  server.sql('create role looker login; grant select on all tables in schema public to looker', 'seen');
  const at = `'${url.replace('postgres@', 'looker@')}' --name q`;
  expect(await size(at, '.waiting')).toBe('[1]');
});

test('a table of another program is named, and nothing is changed', async () => {
  const url = server.database('alien');
  const said = async (command: string): Promise<string> => {
    const { code, stderr } = await sh(command, { input: lines('a') });
    return `${code} ${stderr}`;
  };
  server.sql('create table taskpipe_queue_tasks (id int, payload text)', 'alien');
  expect(await said(`task-queue push '${url}' --name q`)).toMatch(
    /^65 .*the table taskpipe_queue_tasks of the database alien is not one of taskpipe, .* no column queue; rename it/s,
  );
  expect(server.sql("select count(*) from pg_class where relname like 'taskpipe%'", 'alien')).toBe('1');
  server.sql('alter table taskpipe_queue_tasks rename to taskpipe_marks', 'alien');
  expect(await said(`task-done count '${url}?ledger=l'`)).toMatch(/^65 .*the table taskpipe_marks of /);
});

test('a number that the engines cannot hold is refused before anything is pushed', async () => {
  const at = `'${server.url}' --name ranges`;
  for (const option of ['--priority 3000000000', '--attempts 3000000000']) {
    const { code, stderr } = await push(`${at} ${option}`, lines('a'));
    expect([code, stderr]).toEqual([2, expect.stringMatching(/ and at most \d+; got "3000000000"/)]);
  }
});

test('--shared counts the rates and quotas of all processes', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'work.mjs'), 'export default () => 1;\n');
  const shared = `--shared --queue '${server.url}' --name q --quota calls=2/h --cost 'calls=length(uuid)'`;
  const run = await sh(`task-exec --module work.mjs ${shared} --quiet`, { cwd, input: lines('a', 'b') });
  expect([run.code, run.stderr]).toEqual([0, '']);
  const lane = server.sql('select lane from taskpipe_quotas');
  const queues = await openQueues(server.url, [], { env: {} });
  const rate = { count: 2, per: 3_600_000 };
  expect((await queues.charge(lane, 'test', [{ name: 'calls', rate, cost: 1 }])).wait).toBeGreaterThan(0);
  await queues.close();
});

test('a url with a ledger or a table is refused, and no message has the password', async () => {
  const said = async (url: string, more = ''): Promise<string> => {
    const { code, stderr } = await sh(`task-queue size '${url}' --name q ${more}`);
    return `${code} ${stderr}`;
  };
  expect(await said(`${server.url}?ledger=q`)).toMatch(/^2 .*its name is --name; leave out ledger=/);
  expect(await said(`${server.url}?table=q`)).toMatch(/^2 .*leave out table=/);
  const lost = await said('postgres://app:secret@127.0.0.1:1/db', '--patience 100ms');
  expect(lost).toMatch(/^74 .*nothing listens at 127\.0\.0\.1, port 1/s);
  expect(lost).not.toContain('secret');
});

test('--password-file has the password', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'pw'), 'right\n');
  const at = `'postgres://postgres@127.0.0.1:${server.port}/postgres' --name q --password-file`;
  expect((await sh(`task-queue size ${at} pw`, { cwd })).code).toBe(0);
  expect((await sh(`task-queue size ${at} none`, { cwd })).stderr).toMatch(
    /cannot read the password in none/,
  );
});

test('a row of another program that is not a task is dead with the reason', () =>
  withQueue(async (queue, name) => {
    await queue.push(tasks('a'));
    server.sql(`insert into taskpipe_queue_tasks (queue, uuid, line, state, priority, place, attempts)
      values ('${name}', 'mail', '{"to":"you"}', 'waiting', 0, 0, 3)`);
    const consumer = await consume(queue);
    expect(uuidsOf(await consumer.take(10))).toEqual(['a']);
    expect(await deadOf(queue)).toEqual(['mail TASK']);
    for await (const [dead] of queue.dead())
      expect(dead?.task.line).toBe('{"uuid":"mail","job":{"to":"you"}}');
    expect(await queue.remove(['mail'])).toEqual(['mail']);
  }));

/** Returns a connection of queues that commits its transactions with this function. */
function committing(postgres: PostgresLink, commit: (session: PostgresSession) => Promise<void>): QueueLink {
  const sessionOf = (session: PostgresSession): PostgresSession => ({
    ...session,
    exec: (sql) => (sql === 'commit' ? commit(session) : session.exec(sql)),
  });
  return oneAtATime({ ...postgres, run: (work) => postgres.run((session) => work(sessionOf(session))) });
}

test('a transaction that was committed as its connection was lost is not repeated', async () => {
  const postgres = openPostgres(postgresAddress(server.url));
  let lost = 0;
  const link = committing(postgres, async (session) => {
    await session.exec('commit');
    if (lost++ === 0) throw new Error('Connection terminated');
  });
  await postgres.run((session) => makeQueueTables(session));
  await link.run((session) => session.exec('create table counted (n int)'));
  const runs: number[] = [];
  const insert = await link.commit(async (session) => {
    runs.push(session.number);
    return session.change('insert into counted values (1)');
  });
  expect([insert, lost, runs.length, server.sql('select count(*) from counted')]).toEqual([1, 1, 1, '1']);
  await postgres.close();
});

test('a transaction that a crash rolled back runs again, even if another one has its id now', async () => {
  const own = await startPostgres(['wal_writer_delay=10000', 'autovacuum=off']);
  own.sql('create table counted (n int); create table others (n int); checkpoint');
  const postgres = openPostgres(postgresAddress(own.url));
  let isCrashed = false;
  const link = committing(postgres, async (session) => {
    if (isCrashed) return session.exec('commit');
    const [[id] = []] = await session.rows('select txid_current_if_assigned()');
    isCrashed = true;
    await own.kill();
    await own.start();
    while (Number(own.sql('insert into others values (1) returning txid_current()')) < Number(id));
    throw new Error('Connection terminated');
  });
  await postgres.run((session) => makeQueueTables(session));
  await link.commit((session) => session.change('insert into counted values (1)'));
  expect([isCrashed, own.sql('select count(*) from counted')]).toEqual([true, '1']);
  await postgres.close();
});

test('a worker that lost its connection keeps its tasks, and returns those that it never received', () =>
  withQueue(async (queue, name) => {
    await queue.push(tasks('a', 'b', 'c', 'd'));
    const consumer = await consume(queue);
    await consumer.take(2);
    // State after the answer of a delivery and the news of a verdict were lost.
    const row = (uuid: string): string => `queue = '${name}' and uuid = '${uuid}'`;
    server.sql(`update taskpipe_queue_tasks set state = 'active', worker = 'w',
      instance = (select instance from taskpipe_queue_tasks where ${row('a')}) where ${row('c')}`);
    server.sql(`delete from taskpipe_queue_tasks where ${row('b')}`);
    server.sql(`select pg_terminate_backend(pid) from pg_stat_activity
      where application_name = 'taskpipe' and pid <> pg_backend_pid()`);
    const { uuids, isBack } = await consumer.returned();
    expect([uuids, isBack, [...consumer.out]]).toEqual([['b'], true, ['a']]);
    expect(uuidsOf(await consumer.take(10))).toEqual(['c', 'd']);
    expect((await queue.settle(all('done', 'a', 'c', 'd'))).done).toBe(3);
  }));

test('a worker that is not registered any more registers again, with the tasks that it still has', () =>
  withQueue(async (queue, name) => {
    await queue.push(tasks('a', 'b'));
    const consumer = await consume(queue);
    await consumer.take(2);
    server.sql(`delete from taskpipe_queue_workers where queue = '${name}'`);
    server.sql(`update taskpipe_queue_tasks set state = 'waiting' where queue = '${name}' and uuid = 'b'`);
    await consumer.renew();
    expect([...consumer.out]).toEqual(['a']);
    expect((await queue.size()).workers).toEqual([{ worker: 'w', out: 1 }]);
  }));

test('an error after tasks were taken leaves none of them without a worker', () =>
  withQueue(async (queue, name) => {
    await queue.push(tasks('a', 'b'));
    // The finished task is removed when it is taken: the server cancels that statement once.
    server.sql(`insert into taskpipe_marks values ('${name}', 'a', true);
      create sequence cancelled;
      create function cancel() returns trigger language plpgsql as $$ begin
        if nextval('cancelled') = 1 then raise exception 'canceled' using errcode = '57014'; end if;
        return old; end $$;
      create trigger cancel before delete on taskpipe_queue_tasks for each row execute function cancel()`);
    const consumer = await consume(queue);
    expect(uuidsOf(await consumer.take(10))).toEqual(['b']);
    server.sql('drop trigger cancel on taskpipe_queue_tasks');
    expect((await queue.size()).active).toBe(1);
  }));

test('long tasks are taken few at a time', () =>
  withQueue(async (queue) => {
    const long = ['a', 'b', 'c'].map(
      (uuid) => new Task(uuid, `{"uuid":"${uuid}","x":"${'x'.repeat(3_000_000)}"}`),
    );
    await queue.push([...long, ...tasks('d')]);
    const consumer = await consume(queue);
    expect(uuidsOf(await consumer.take(10))).toEqual(['a', 'b']);
    expect(uuidsOf(await consumer.take(10))).toEqual(['c', 'd']);
  }));
