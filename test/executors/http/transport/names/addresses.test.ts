import { lookup } from 'node:dns';
import { BlockList, type LookupFunction } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type AddressRule,
  guardedLookup,
  publicOr,
  toNetworks,
} from '../../../../../src/executors/http/transport/names/addresses.ts';
import { serve } from '../../../../support/http-server.ts';
import { sh } from '../../../../support/run.ts';
import { attempt, fetchOne, open } from '../../support.ts';

describe('the public addresses', () => {
  let mayConnect: AddressRule;
  beforeAll(async () => {
    mayConnect = await publicOr(new BlockList());
  });

  test.each([
    ...['0.0.0.0', '10.1.2.3', '100.64.0.1', '100.127.255.255', '127.0.0.1', '127.255.255.255'],
    ...['169.254.169.254', '172.16.0.1', '172.31.255.255', '192.0.0.1', '192.0.2.1', '192.88.99.1'],
    ...['192.168.0.1', '198.18.0.1', '198.19.255.255', '198.51.100.1', '203.0.113.1', '224.0.0.1'],
    ...['240.0.0.1', '255.255.255.255', '192.31.196.1', '192.52.193.1', '192.175.48.1'],
    ...[
      '::',
      '::1',
      '::127.0.0.1',
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::ffff:10.0.0.1',
      '::ffff:0:10.0.0.1',
    ],
    ...['64:ff9b::10.0.0.1', '64:ff9b::192.88.99.1', '2001:4:112::1', '2001:30::1', '2620:4f:8000::1'],
    ...['::ffff:100.64.0.1', '::ffff:169.254.169.254', '2002:a9fe:a9fe::1', '2001:0:7f00:1::'],
    ...['64:ff9b::127.0.0.1', '64:ff9b::a9fe:a9fe', '64:ff9b:1::1', '100::1', '2001::1', '2001:db8::1'],
    ...[
      '2002:7f00:1::1',
      '3fff::1',
      '4000::1',
      '5f00::1',
      'fc00::1',
      'fd00:ec2::254',
      'fe80::1',
      'fe80::1%eth0',
    ],
    ...['fec0::1', 'ff02::1', 'localhost', ''],
  ])('exclude %s', (address) => {
    expect(mayConnect(address)).toBe(false);
  });

  test.each([
    ...[
      '1.1.1.1',
      '8.8.8.8',
      '9.255.255.255',
      '11.0.0.0',
      '100.63.255.255',
      '100.128.0.0',
      '126.255.255.255',
    ],
    ...['128.0.0.0', '172.15.255.255', '172.32.0.0', '192.167.255.255', '192.169.0.0', '223.255.255.255'],
    ...['2606:4700::1111', '2a00::1', '2001:4860:4860::8888', '::ffff:8.8.8.8', '64:ff9b::808:808'],
  ])('include %s', (address) => {
    expect(mayConnect(address)).toBe(true);
  });

  test('include those of --allow-address, and no more', async () => {
    const more = await publicOr(toNetworks('10.1.0.0/16, 127.0.0.1,fd00::/8'));
    expect(['10.1.2.3', '127.0.0.1', '::ffff:127.0.0.1', 'fd00::1', '8.8.8.8'].map(more)).not.toContain(
      false,
    );
    expect(['10.2.0.1', '127.0.0.2', '::1', 'fe80::1'].map(more)).not.toContain(true);
  });

  test.each(['', 'localhost', '10.0.0.0/33', '10.0.0/8', '::1/129', '1.1.1.1,', '1.1.1.1/-1'])(
    'cannot be extended by --allow-address %j',
    (text) => {
      expect(() => toNetworks(text)).toThrow('must be addresses or networks');
    },
  );
});

describe('a lookup', () => {
  const look = (may: (address: string) => boolean, all: boolean): Promise<unknown[]> =>
    new Promise((resolve) =>
      guardedLookup(may, lookup as LookupFunction)('localhost', { all, family: 4 }, (...result) =>
        resolve(result),
      ),
    );

  test('returns only permitted addresses, in both forms that Node asks for', async () => {
    expect(await look(() => true, true)).toEqual([null, [{ address: '127.0.0.1', family: 4 }]]);
    expect(await look(() => true, false)).toEqual([null, '127.0.0.1', 4]);
    for (const all of [true, false]) {
      const [error] = await look(() => false, all);
      expect(error).toMatchObject({ code: 'ADDRESS_DENIED' });
    }
  });
});

describe('--deny-private', () => {
  test.each([
    ...['127.0.0.1', 'localhost', '0x7f.1', '2130706433', '127.1', '0177.0.0.1'],
    ...['0.0.0.0', '[::1]', '[::ffff:7f00:1]', '[::ffff:127.0.0.1]', '①②⑦.0.0.1'],
  ])('makes no connection to %s and does not retry', async (host) => {
    const server = await serve((response) => response.end('private'));
    for (const scheme of ['http', 'https']) {
      const record = { url: `${scheme}://${host}:${server.port}/` };
      const { error, retry, result } = await fetchOne(record, { denyPrivate: true });
      expect(error?.code).toBe('DENIED');
      expect(error?.message).toBe(`${new URL(record.url).host} is at a private address (--deny-private)`);
      expect(retry).toBeUndefined();
      expect(result).toBeUndefined();
    }
    expect(server.connections).toBe(0);
  });

  test('applies to every redirect', async () => {
    const inner = await serve((response) => response.end('private'));
    const way = ['/second', `http://127.0.0.2:${inner.port}/`];
    const server = await serve((response, { url }) =>
      response.writeHead(302, { location: way[url === '/' ? 0 : 1] }).end('moved'),
    );
    const executor = await open({ denyPrivate: true, allowAddress: '127.0.0.1' });
    const { error, retry, result } = await attempt(executor, { url: server.url });
    expect(error).toEqual({
      code: 'DENIED',
      message: `127.0.0.2:${inner.port} is at a private address (--deny-private)`,
    });
    expect([retry, result]).toEqual([undefined, undefined]);
    expect(server.seen).toHaveLength(2);
    expect(inner.connections).toBe(0);
  });

  test('permits the addresses of --allow-address, also by host name', async () => {
    const server = await serve((response) => response.end('inside'));
    const executor = await open({ denyPrivate: true, allowAddress: '127.0.0.0/8' });
    for (const host of ['127.0.0.1', 'localhost']) {
      const { result } = await attempt(executor, { url: `http://${host}:${server.port}/` });
      expect(result?.text).toBe('inside');
    }
  });

  test('works on the command line', async () => {
    const server = await serve((response) => response.end('private'));
    const input = `${JSON.stringify({ uuid: 'a', url: `http://localhost:${server.port}/` })}\n`;
    const { stdout, code } = await sh('task-exec --http --deny-private', { input });
    expect(JSON.parse(stdout).run).toMatchObject({ attempts: 1, error: { code: 'DENIED' } });
    expect(code).toBe(1);
    const allowed = await sh('task-exec --http --deny-private --allow-address 127.0.0.0/8,::1', { input });
    expect(JSON.parse(allowed.stdout).result.text).toBe('private');
  });

  test.each([
    ['--deny-private --proxy http://jo:hush@h:1', {}, /cannot be used with a proxy \(--proxy\)/],
    ['--deny-private', { http_proxy: 'http://h:1' }, /cannot be used with a proxy \(http_proxy\)/],
    [
      '--deny-private',
      { ALL_PROXY: 'http://h:1', no_proxy: 'a' },
      /cannot be used with a proxy \(ALL_PROXY\)/,
    ],
    ['--allow-address 10.0.0.1', {}, /add --deny-private/],
    [
      '--deny-private --allow-address 10.0.0.1/40',
      {},
      /--allow-address must be addresses or networks.*10\.0\.0\.1\/40/,
    ],
  ])('is a usage error: %s with %j', async (options, env, words) => {
    const { code, stderr } = await sh(`task-exec --http ${options}`, { env });
    expect(stderr).toMatch(words);
    expect(stderr).not.toContain('hush');
    expect(code).toBe(2);
  });

  test('can be used with a proxy that no_proxy=* disables', async () => {
    const server = await serve((response) => response.end('inside'));
    const env = { http_proxy: 'http://h.invalid:1', no_proxy: '*' };
    const options = { denyPrivate: true, allowAddress: '127.0.0.1', env };
    expect((await fetchOne({ url: server.url }, options)).result?.text).toBe('inside');
  });
});
