/* --connect-to, --resolve and --interface, with the same meaning as in curl. */
import { networkInterfaces } from 'node:os';
import { describe, expect, test } from 'vitest';
import { toRedirection, toResolution } from '../../../../../src/executors/http/transport/routes/detours.ts';
import { closedPort, serve, serveTls } from '../../../../support/http-server.ts';
import { sh } from '../../../../support/run.ts';
import { fetchOne } from '../../support.ts';

describe('--connect-to', () => {
  test('connects elsewhere, with the Host header of the url', async () => {
    const server = await serve((response) => response.end('here'));
    for (const rule of [`a.invalid:80:127.0.0.1:${server.port}`, `::localhost:${server.port}`]) {
      const { result } = await fetchOne({ url: 'http://A.invalid/x' }, { connectTo: [rule] });
      expect(result).toMatchObject({ url: 'http://a.invalid/x', text: 'here' });
    }
    expect(server.seen[0]?.headers.host).toBe('a.invalid');
  });

  test('leaves other hosts and ports alone, and the first rule counts', async () => {
    const one = await serve((response) => response.end('one'));
    const two = await serve((response) => response.end('two'));
    const connectTo = [
      `a.invalid:81:127.0.0.1:${two.port}`,
      `a.invalid:80:127.0.0.1:${one.port}`,
      `a.invalid::127.0.0.1:${two.port}`,
    ];
    expect((await fetchOne({ url: 'http://a.invalid' }, { connectTo })).result).toMatchObject({
      text: 'one',
    });
    expect((await fetchOne({ url: 'http://a.invalid:9' }, { connectTo })).result).toMatchObject({
      text: 'two',
    });
    expect((await fetchOne({ url: one.url }, { connectTo })).result).toMatchObject({ text: 'one' });
  });

  test('names both places if the connection fails', async () => {
    const port = await closedPort();
    const { error } = await fetchOne({ url: 'http://a.invalid/' }, { connectTo: [`::127.0.0.1:${port}`] });
    expect(error?.message).toBe(`connection refused by 127.0.0.1:${port} (for a.invalid:80)`);
  });

  test('verifies the certificate for the host of the url, also for an address', async () => {
    const server = await serveTls((response) => response.end('here'));
    for (const host of ['other.invalid', '127.0.0.9']) {
      const connectTo = [`${host}:443:localhost:${server.port}`];
      const { error } = await fetchOne({ url: `https://${host}/` }, { connectTo });
      expect(error).toMatchObject({ code: 'TLS' });
    }
  });
});

describe('--resolve', () => {
  test('assigns addresses to a host and port, which are tried in order', async () => {
    const server = await serve((response) => response.end('here'));
    const url = `http://a.invalid:${server.port}/`;
    for (const rule of [`a.invalid:${server.port}:127.0.0.9,127.0.0.1`, `*:${server.port}:127.0.0.1`]) {
      expect((await fetchOne({ url }, { resolve: [rule] })).result).toMatchObject({ text: 'here' });
    }
    const { error } = await fetchOne(
      { url: 'http://a.invalid:1/' },
      { resolve: [`a.invalid:${server.port}:127.0.0.1`] },
    );
    expect(error?.message).toContain('cannot resolve a.invalid');
  });

  test('applies after --connect-to', async () => {
    const server = await serve((response) => response.end('here'));
    const options = {
      connectTo: [`::b.invalid:${server.port}`],
      resolve: [`b.invalid:${server.port}:127.0.0.1`],
    };
    expect((await fetchOne({ url: 'http://a.invalid/' }, options)).result).toMatchObject({ text: 'here' });
  });
});

test('--deny-private judges the address that --resolve and --connect-to lead to', async () => {
  const server = await serve((response) => response.end('private'));
  for (const options of [
    { resolve: [`example.com:${server.port}:127.0.0.1`] },
    { connectTo: [`example.com::127.0.0.1:${server.port}`] },
    { connectTo: [`example.com::localhost:${server.port}`] },
  ]) {
    const asked = { url: `http://example.com:${server.port}/` };
    expect((await fetchOne(asked, { ...options, denyPrivate: true })).error).toMatchObject({
      code: 'DENIED',
    });
    const allowed = { ...options, denyPrivate: true, allowAddress: '127.0.0.1' };
    expect((await fetchOne(asked, allowed)).result).toMatchObject({ text: 'private' });
  }
});

describe('--interface', () => {
  test('makes connections from an address, or from the address of an interface', async () => {
    const froms: (string | undefined)[] = [];
    const server = await serve((response) => {
      froms.push(response.socket?.remoteAddress);
      response.end();
    });
    const [loopback = 'lo'] =
      Object.entries(networkInterfaces()).find(([, some]) => some?.[0]?.internal) ?? [];
    for (const own of ['127.0.0.7', loopback]) {
      for (const url of [server.url, server.url.replace('127.0.0.1', 'localhost')])
        expect((await fetchOne({ url }, { interface: own })).error).toBeUndefined();
    }
    expect(froms).toEqual(['127.0.0.7', '127.0.0.7', '127.0.0.1', '127.0.0.1']);
  });

  test('has to exist, and to fit the family of an address', async () => {
    await expect(fetchOne({ url: 'http://h/' }, { interface: 'none9' })).rejects.toThrow(
      '--interface: this machine has no interface "none9"; its interfaces are ',
    );
    await expect(fetchOne({ url: 'http://h/' }, { interface: '203.0.113.9' })).rejects.toThrow('no address');
    const { error } = await fetchOne({ url: 'http://[::1]:1/' }, { interface: '127.0.0.1' });
    expect(error?.message).toBe('no connection to [::1]:1: --interface has no address of IPv6');
  });
});

describe('the rules', () => {
  test('take addresses of IPv6 in brackets', () => {
    expect(toRedirection('[::1]:80:[fe80::2]:')).toEqual({
      from: { hostname: '::1', port: 80 },
      to: { hostname: 'fe80::2' },
    });
    expect(toResolution('+a.example:443:[::1],127.0.0.1')).toEqual({
      from: { hostname: 'a.example', port: 443 },
      addresses: ['::1', '127.0.0.1'],
    });
  });

  test.each(['a', 'a:1', 'a:1:b', 'a:b:c:d', '::1:80:b:1'])('reject --connect-to %s', (rule) => {
    expect(() => toRedirection(rule)).toThrow('must be HOST1:PORT1:HOST2:PORT2');
  });

  test.each(['a', 'a:1', 'a:1:b', ':1:127.0.0.1', '-a:1', 'a:1:127.0.0.1,b'])(
    'reject --resolve %s',
    (rule) => {
      expect(() => toResolution(rule)).toThrow('must be HOST:PORT:ADDRESS');
    },
  );

  test('are options of the command', async () => {
    const server = await serveTls((response) => response.end('here'));
    const { stdout, stderr, code } = await sh(
      `task-exec --http --insecure --connect-to 'a.invalid:443:127.0.0.1:${server.port}' --interface 127.0.0.1`,
      { input: '{"uuid":"1","url":"https://a.invalid/"}\n' },
    );
    expect(stderr).not.toContain('TLS');
    expect(code).toBe(0);
    expect(JSON.parse(stdout).result).toMatchObject({ text: 'here' });
  });
});
