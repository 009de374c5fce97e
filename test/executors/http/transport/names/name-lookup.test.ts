import { describe, expect, test } from 'vitest';
import { candidatesOf } from '../../../../../src/executors/http/transport/names/hosts-file.ts';
import { serveDns } from '../../../../support/dns-server.ts';
import { serve } from '../../../../support/http-server.ts';
import { sh } from '../../../../support/run.ts';
import { attempt, fetchOne, open } from '../../support.ts';

const local = (_: string, type: string): string[] => (type === 'A' ? ['127.0.0.1'] : []);

describe('--resolver', () => {
  test('looks names up at its server, once for all tasks while the answer is valid', async () => {
    const dns = await serveDns(local);
    const server = await serve((response) => response.setHeader('connection', 'close').end('ok'));
    const executor = await open({ resolver: dns.address });
    const url = `http://one.test:${server.port}/`;
    const all = await Promise.all(Array.from({ length: 10 }, () => attempt(executor, { url })));
    expect((await attempt(executor, { url })).result?.text).toBe('ok');
    expect(all.map(({ result }) => result?.text)).toEqual(Array(10).fill('ok'));
    expect(dns.asked.filter((one) => one === 'one.test A')).toHaveLength(1);
  });

  test('uses an address of IPv6 if there is no other', async () => {
    const dns = await serveDns((_, type) => (type === 'AAAA' ? ['::1'] : 'NXDOMAIN'));
    const { error } = await fetchOne({ url: 'http://six.test:1/' }, { resolver: dns.address });
    expect(error?.message).toMatch(/refused by six\.test:1|no route/);
    expect(dns.asked).toContain('six.test AAAA');
  });

  test.each([
    ['NXDOMAIN', /cannot resolve gone\.test:80: no such host/],
    ['SERVFAIL', /cannot resolve gone\.test:80 for now/],
  ] as const)('an answer of %s fails the task, which can be retried', async (answer, words) => {
    const dns = await serveDns(() => answer);
    const { error, retry } = await fetchOne({ url: 'http://gone.test/' }, { resolver: dns.address });
    expect(error).toEqual({ code: 'CONNECTION', message: expect.stringMatching(words) });
    expect(retry).toEqual({});
  });

  test('checks the address of a name by --deny-private', async () => {
    const dns = await serveDns(local);
    const server = await serve((response) => response.end());
    const options = { resolver: dns.address, denyPrivate: true };
    const { error } = await fetchOne({ url: `http://inside.test:${server.port}/` }, options);
    expect(error?.code).toBe('DENIED');
    expect(server.connections).toBe(0);
  });

  test.each(['nonsense', '1.1.1.1:x', ''])('is a usage error if it is %j', async (resolver) => {
    await expect(open({ resolver })).rejects.toMatchObject({
      code: 'USAGE',
      message: expect.stringContaining('--resolver must be addresses of DNS servers'),
    });
  });
});

describe('names that are slow', () => {
  test('are looked up at once, 100 hosts at 100 ms in far less than one after the other', async () => {
    const dns = await serveDns(local, { delay: 100 });
    const server = await serve((response) => response.end('ok'));
    const executor = await open({ resolver: dns.address });
    const began = performance.now();
    const urls = Array.from({ length: 100 }, (_, i) => `http://h${i}.test:${server.port}/`);
    const all = await Promise.all(urls.map((url) => attempt(executor, { url })));
    expect(all.every(({ result }) => result?.text === 'ok')).toBe(true);
    expect(performance.now() - began).toBeLessThan(2500);
  });

  test('fail only their own tasks if no server answers', async () => {
    const dns = await serveDns((name, type) => (name.startsWith('dead') ? 'silence' : local(name, type)));
    const server = await serve((response) => response.end('ok'));
    const executor = await open({ resolver: dns.address, timeout: 1500 });
    const names = Array.from({ length: 40 }, (_, i) => `${i < 12 ? 'dead' : 'good'}${i}.test`);
    const all = await Promise.all(
      names.map((name) => attempt(executor, { url: `http://${name}:${server.port}/` })),
    );
    expect(all.map(({ error }) => error?.code)).toEqual([
      ...Array(12).fill('TIMEOUT'),
      ...Array(28).fill(undefined),
    ]);
  });

  test('do not keep the process after its last task', async () => {
    const dns = await serveDns(() => 'silence');
    const input = '{"uuid":"a","url":"http://dead.test/"}\n';
    const began = performance.now();
    const { stdout } = await sh(`task-exec --http --timeout 500ms --retries 0 --resolver ${dns.address}`, {
      input,
    });
    expect(JSON.parse(stdout).run.error.message).toBe('no connection to dead.test:80 within 500 ms');
    expect(performance.now() - began).toBeLessThan(8000);
  });
});

test.each([
  ['a.b', ['a.b', 'a.b.one.test', 'a.b.two.test'], 1],
  ['a.b', ['a.b.one.test', 'a.b.two.test', 'a.b'], 2],
  ['a.b.', ['a.b'], 2],
])('%s is completed with search domains as %j if ndots is %i', (name, wanted, ndots) => {
  expect(candidatesOf(name, { hosts: new Map(), search: ['one.test', 'two.test.'], ndots })).toEqual(wanted);
});
