/* Poolers in front of PostgreSQL that give each transaction another session of the server. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { postgresAddress } from '../../../src/core/postgres/postgres-address.ts';
import { openPostgres } from '../../../src/core/postgres/postgres-link.ts';
import { needsPostgres, postgresPrograms, startPostgres, type TestPostgres } from '../../support/postgres.ts';
import { sh } from '../../support/run.ts';

let server: TestPostgres;
/** Server in front of it, which gives its clients its own process ids, as poolers do. */
const pooler = createServer((client) => {
  const there = connect(server.port, '127.0.0.1');
  client.pipe(there);
  there.on('data', (chunk) => {
    // BackendKeyData: `K`, its length of 12 bytes, the process id and a key
    const at = chunk.indexOf(Buffer.from([75, 0, 0, 0, 12]));
    if (at >= 0) chunk.writeInt32BE(1, at + 5);
    client.write(chunk);
  });
  there.on('end', () => client.end());
  for (const socket of [client, there]) socket.on('error', () => [client, there].map((one) => one.destroy()));
});
const url = (): string => `postgres://postgres@127.0.0.1:${(pooler.address() as AddressInfo).port}/postgres`;

beforeAll(async () => {
  if (postgresPrograms === undefined) return;
  server = await startPostgres();
  pooler.listen(0, '127.0.0.1');
  await once(pooler, 'listening');
}, 60_000);
afterAll(() => void pooler.close());
beforeEach(needsPostgres);

test('each transaction has the settings of the session', async () => {
  const link = openPostgres(postgresAddress(url()));
  const isPooled = await link.run(async (session) => {
    // The state of another session of the server.
    await session.exec(
      "set timezone = 'Asia/Tokyo'; set synchronous_commit = off; set statement_timeout = 5000",
    );
    return session.isPooled;
  });
  const read = link.read(
    async () =>
      "select current_setting('timezone'), current_setting('synchronous_commit'), current_setting('statement_timeout')",
    1,
  );
  expect([isPooled, (await read.next()).value]).toEqual([true, [['UTC', 'on', '0']]]);
  await link.close();
}, 60_000);

test('task-save replaces rows with a temporary table for each transaction', async () => {
  const save = (n: number) =>
    sh(`task-save '${url()}' --table pooled --flush 1`, {
      input: `{"uuid":"a","n":${n}}\n{"uuid":"b","n":${n}}\n`,
    });
  expect([(await save(1)).code, (await save(2)).code]).toEqual([0, 0]);
  expect(server.sql('select * from pooled order by 1')).toBe('a|2\nb|2');
}, 60_000);
