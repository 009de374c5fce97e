/* --resolver with dnsmasq. */
import { beforeEach, expect, test } from 'vitest';
import { serveDns } from '../../../support/dns-server.ts';
import { serve } from '../../../support/http-server.ts';
import { needsServer, startDnsmasq } from '../../../support/web-servers.ts';
import { attempt, open } from '../support.ts';

beforeEach((context) => needsServer(context, 'dnsmasq'));

/** Returns the texts or the errors of requests to these names, all at once. */
async function fetchAll(resolver: string, names: readonly string[], timeout = 20_000): Promise<unknown[]> {
  const server = await serve((response) => response.end('ok'));
  const executor = await open({ resolver, timeout });
  const urls = names.map((name) => `http://${name}:${server.port}/`);
  const all = await Promise.all(urls.map((url) => attempt(executor, { url })));
  return all.map(({ result, error }) => result?.text ?? error?.message.replace(`:${server.port}`, ''));
}

test('names have one address, an alias, or none', async () => {
  const resolver = await startDnsmasq(['127.0.0.1 one.test'], '--cname=alias.test,one.test');
  expect(await fetchAll(resolver, ['one.test', 'ONE.test.', 'alias.test', 'gone.test'])).toEqual([
    ...['ok', 'ok', 'ok'],
    'cannot resolve gone.test: no such host',
  ]);
});

test('a name that the server does not know is a temporary failure', async () => {
  const resolver = await startDnsmasq([]);
  expect(await fetchAll(resolver, ['other.example'])).toEqual(['cannot resolve other.example for now']);
});

test('addresses that refuse are skipped if there are others', async () => {
  const hosts = ['127.0.0.9', '127.0.0.8', '127.0.0.1', '127.0.0.7'].map((address) => `${address} many.test`);
  const resolver = await startDnsmasq([...hosts, '::1 many.test']);
  expect(await fetchAll(resolver, Array(8).fill('many.test'))).toEqual(Array(8).fill('ok'));
});

test('slow names and silent names hold up no other', async () => {
  const local = (_: string, type: string): string[] => (type === 'A' ? ['127.0.0.1'] : []);
  const slow = await serveDns(local, { delay: 400 });
  const silent = await serveDns(() => 'silence');
  const upstream = (name: string, { address }: { address: string }): string =>
    `--server=/${name}/${address.replace(':', '#')}`;
  const resolver = await startDnsmasq(
    ['127.0.0.1 good.test'],
    ...[upstream('slow.test', slow), upstream('silent.test', silent)],
  );
  const names = (kind: string): string[] => Array.from({ length: 8 }, (_, i) => `h${i}.${kind}.test`);
  const began = performance.now();
  const all = await fetchAll(resolver, [...names('silent'), ...names('slow'), 'good.test'], 4000);
  expect(performance.now() - began).toBeLessThan(15_000);
  expect(all).toEqual([
    ...names('silent').map((name) => `no connection to ${name} within 4 s`),
    ...Array(9).fill('ok'),
  ]);
});

test('a name that moves is looked up again after its time to live', async () => {
  const old = await serveDns((_, type) => (type === 'A' ? ['127.0.0.9'] : []), { ttl: 0 });
  const resolver = await startDnsmasq([], `--server=/moved.test/${old.address.replace(':', '#')}`);
  const executor = await open({ resolver });
  const tried = async (): Promise<number> => {
    const { error } = await attempt(executor, { url: 'http://moved.test:9/' });
    expect(error?.message).toBe('connection refused by moved.test:9');
    return old.asked.filter((one) => one === 'moved.test A').length;
  };
  expect(await tried()).toBe(1);
  await expect.poll(tried, { timeout: 30_000, interval: 100 }).toBe(2);
});
