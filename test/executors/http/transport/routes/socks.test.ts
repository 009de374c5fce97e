/* SOCKS5 proxies, with the servers microsocks and danted. */
import { describe, expect, test } from 'vitest';
import { closedPort, serve, serveSocket, serveTls } from '../../../../support/http-server.ts';
import { canLogInAtDanted, danted, microsocks } from '../../../../support/proxies.ts';
import { has } from '../../../../support/run.ts';
import { fetchOne } from '../../support.ts';

const hasMicrosocks = await has('microsocks');
const hasDanted = await has('danted');

describe.skipIf(!hasMicrosocks)('a SOCKS5 proxy (microsocks)', () => {
  test.each(['socks5', 'socks5h'])('carries http and https with %s', async (scheme) => {
    const proxy = await microsocks();
    const plain = await serve((response) => response.end('plain'));
    const secure = await serveTls((response) => response.end('secure'));
    const options = { proxy: `${scheme}://${proxy.host}`, insecure: true };
    for (const [server, text] of [[plain, 'plain'] as const, [secure, 'secure'] as const]) {
      const { result, error } = await fetchOne(
        { url: server.url.replace('127.0.0.1', 'localhost') },
        options,
      );
      expect(error).toBeUndefined();
      expect(result).toMatchObject({ status: 200, text });
    }
  });

  test('receives user and password, and says if they are wrong', async () => {
    const proxy = await microsocks(['me', 'p@ss']);
    const server = await serve((response) => response.end('in'));
    const by = (login: string) => fetchOne({ url: server.url }, { proxy: `socks5h://${login}${proxy.host}` });
    expect((await by('me:p%40ss@')).result).toMatchObject({ text: 'in' });
    for (const login of ['me:hush@', '']) {
      const { error } = await by(login);
      expect(error).toEqual({
        code: 'CONNECTION',
        message: `the proxy ${proxy.host} does not accept user and password, or needs them`,
      });
    }
  });

  test('names what it cannot reach', async () => {
    const proxy = await microsocks();
    const port = await closedPort();
    const { error } = await fetchOne(
      { url: `http://127.0.0.1:${port}/` },
      { proxy: `socks5://${proxy.host}` },
    );
    expect(error?.message).toBe(
      `the proxy ${proxy.host} refuses a tunnel to 127.0.0.1:${port}: connection refused`,
    );
  });

  test('may be used with --deny-private, which checks the addresses that this process looks up', async () => {
    const proxy = await microsocks();
    const server = await serve((response) => response.end('inside'));
    const url = server.url.replace('127.0.0.1', 'localhost');
    const options = { proxy: `socks5://${proxy.host}`, denyPrivate: true };
    for (const denied of [url, server.url]) {
      const { error } = await fetchOne({ url: denied }, options);
      expect(error).toMatchObject({ code: 'DENIED' });
    }
    expect(server.connections).toBe(0);
    const { result } = await fetchOne({ url }, { ...options, allowAddress: '127.0.0.1' });
    expect(result).toMatchObject({ text: 'inside' });
    await expect(fetchOne({ url }, { ...options, proxy: `socks5h://${proxy.host}` })).rejects.toThrow(
      '--deny-private cannot be used with a proxy (--proxy), which chooses addresses itself',
    );
  });

  test('is asked for the places of --connect-to, and of --resolve if this process looks up names', async () => {
    const proxy = await microsocks();
    const server = await serve((response) => response.end('there'));
    const connectTo = [`a.invalid:80:127.0.0.1:${server.port}`];
    for (const scheme of ['socks5', 'socks5h']) {
      const { result } = await fetchOne(
        { url: 'http://a.invalid/' },
        { proxy: `${scheme}://${proxy.host}`, connectTo },
      );
      expect(result).toMatchObject({ text: 'there' });
    }
    const resolve = [`b.invalid:${server.port}:127.0.0.1`];
    const { result } = await fetchOne(
      { url: `http://b.invalid:${server.port}/` },
      { proxy: `socks5://${proxy.host}`, resolve },
    );
    expect(result).toMatchObject({ text: 'there' });
    expect(server.seen.map(({ headers }) => headers.host)).toEqual([
      'a.invalid',
      'a.invalid',
      `b.invalid:${server.port}`,
    ]);
  });
});

test.skipIf(!hasDanted)(
  'danted forwards requests, and a request that its rules forbid is reported',
  async () => {
    const proxy = await danted();
    const server = await serve((response) => response.end('by danted'));
    const options = { proxy: `socks5h://${proxy.host}` };
    expect((await fetchOne({ url: server.url }, options)).result).toMatchObject({ text: 'by danted' });
    const { error } = await fetchOne({ url: 'http://127.0.0.2/' }, options);
    expect(error?.message).toBe(
      `the proxy ${proxy.host} refuses a tunnel to 127.0.0.2:80: its rules do not allow it`,
    );
  },
);

// danted knows only users of the system. If this test cannot add one, the test with microsocks covers the login.
test.skipIf(!(await canLogInAtDanted()))(
  'danted receives user and password, and says if they are wrong',
  async () => {
    const proxy = await danted(['taskpipe-me', 'p@ss']);
    const server = await serve((response) => response.end('in'));
    const by = (login: string) => fetchOne({ url: server.url }, { proxy: `socks5h://${login}${proxy.host}` });
    expect((await by('taskpipe-me:p%40ss@')).result).toMatchObject({ text: 'in' });
    for (const login of ['taskpipe-me:hush@', 'no-such-user:p%40ss@', '']) {
      const { error } = await by(login);
      expect(error?.message).toBe(`the proxy ${proxy.host} does not accept user and password, or needs them`);
    }
  },
);

test('a proxy that is not a SOCKS5 server, hangs up or is missing is named', async () => {
  const http = await serve((response) => response.end());
  const hangsUp = await serveSocket((socket) => socket.destroy());
  const closed = await closedPort();
  const messageBy = async (port: number): Promise<string | undefined> =>
    (await fetchOne({ url: 'http://a.invalid/' }, { proxy: `socks5h://127.0.0.1:${port}` })).error?.message;
  expect(await messageBy(http.port)).toBe(
    `no connection to the proxy 127.0.0.1:${http.port}: it does not speak SOCKS5`,
  );
  expect(await messageBy(hangsUp.port)).toBe(
    `the proxy 127.0.0.1:${hangsUp.port} reset the connection while it was being made`,
  );
  expect(await messageBy(closed)).toBe(`connection refused by the proxy 127.0.0.1:${closed}`);
});
