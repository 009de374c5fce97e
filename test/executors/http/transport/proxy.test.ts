import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import { describe, expect, onTestFinished, test } from 'vitest';
import { compileNoProxy, proxySettings } from '../../../../src/executors/http/transport/proxy.ts';
import { KEY, SELF_SIGNED } from '../../../support/certificates.ts';
import { closedPort, serve, serveTls } from '../../../support/http-server.ts';
import { fetchOne } from '../support.ts';

interface TestProxy {
  readonly port: number;
  /** `CONNECT host:port` of each tunnel, with its credentials. */
  readonly tunnels: string[];
}

/** Starts a proxy that opens tunnels, refuses them with a status, drops them, or never answers. */
async function tunnelling(refusal?: number | 'drop' | 'hang'): Promise<TestProxy> {
  const tunnels: string[] = [];
  const server: Server = createServer();
  server.on('connect', (request, socket) => {
    tunnels.push(`${request.url} ${request.headers['proxy-authorization'] ?? ''}`.trim());
    if (refusal === 'drop') socket.destroy();
    if (typeof refusal === 'string') return;
    if (refusal !== undefined) {
      socket.end(`HTTP/1.1 ${refusal} No\r\n\r\n`);
      return;
    }
    const [host, port] = (request.url ?? '').split(':');
    const on = connect(Number(port), host, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      on.pipe(socket).pipe(on);
    });
    for (const end of [on, socket]) end.on('error', () => {});
    onTestFinished(() => void on.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return { port: (server.address() as AddressInfo).port, tunnels };
}

/** Serves TLS with a certificate that is not trusted. @returns the port */
async function listenTls(answer: (socket: Socket) => void): Promise<number> {
  const server = createTlsServer({ key: KEY, cert: SELF_SIGNED }, answer);
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return (server.address() as AddressInfo).port;
}

describe('a proxy', () => {
  test('receives the whole url of an http request, and its own user and password', async () => {
    const proxy = await serve((response) => response.end('from the proxy'));
    const { result } = await fetchOne(
      { url: 'http://jo:pw@nowhere.invalid:81/a?b=1', headers: { 'X-A': '1' } },
      { proxy: proxy.url.replace('//', '//me:p%40w@') },
    );
    expect(result).toMatchObject({ url: 'http://nowhere.invalid:81/a?b=1', text: 'from the proxy' });
    expect(proxy.seen[0]?.url).toBe('http://nowhere.invalid:81/a?b=1');
    expect(proxy.seen[0]?.headers).toMatchObject({
      host: 'nowhere.invalid:81',
      'x-a': '1',
      'proxy-authorization': `Basic ${Buffer.from('me:p@w').toString('base64')}`,
      authorization: `Basic ${Buffer.from('jo:pw').toString('base64')}`,
    });
  });

  test('opens a tunnel for https and keeps its own password from the server', async () => {
    const server = await serveTls((response) => response.end('ok'));
    const proxy = await tunnelling();
    const options = { proxy: `http://me:pw@127.0.0.1:${proxy.port}`, insecure: true };
    const { result } = await fetchOne({ url: server.url }, options);
    expect(result?.text).toBe('ok');
    expect(server.seen[0]?.headers['proxy-authorization']).toBeUndefined();
    const credentials = Buffer.from('me:pw').toString('base64');
    expect(proxy.tunnels).toEqual([`127.0.0.1:${server.port} Basic ${credentials}`]);
  });

  test('does not bypass the certificate check of the host', async () => {
    const server = await serveTls((response) => response.end('ok'));
    const proxy = await tunnelling();
    const { error, retry } = await fetchOne({ url: server.url }, { proxy: `http://127.0.0.1:${proxy.port}` });
    expect(error?.code).toBe('TLS');
    expect(retry).toBeUndefined();
  });

  test('that refuses a tunnel or asks for a password fails the task', async () => {
    const proxy = await tunnelling(403);
    const { error } = await fetchOne(
      { url: 'https://h.invalid/' },
      { proxy: `http://127.0.0.1:${proxy.port}` },
    );
    expect(error).toEqual({
      code: 'CONNECTION',
      message: `the proxy 127.0.0.1:${proxy.port} refuses a tunnel to h.invalid:443: it answered 403`,
    });
    const asking = await serve((response) => response.writeHead(407).end());
    const plain = await fetchOne({ url: 'http://h.invalid/' }, { proxy: asking.url });
    expect(plain.error).toEqual({
      code: 'CONNECTION',
      message: `the proxy 127.0.0.1:${asking.port} does not accept user and password, or needs them: it answered 407`,
    });
  });

  test('that is unreachable or drops a request is named instead of the host', async () => {
    const place = `127.0.0.1:${await closedPort()}`;
    for (const scheme of ['http', 'https']) {
      const { error, retry } = await fetchOne(
        { url: `${scheme}://h.invalid/` },
        { proxy: `http://${place}` },
      );
      expect(error).toEqual({ code: 'CONNECTION', message: `connection refused by the proxy ${place}` });
      expect(retry).toEqual({});
    }
    const unknown = await fetchOne(
      { url: 'https://127.0.0.1/' },
      { proxy: 'http://me:hush@nowhere.invalid' },
    );
    expect(unknown.error?.message).toBe('cannot resolve the proxy nowhere.invalid:80: no such host');
    const proxy = await tunnelling('drop');
    const dropped = await fetchOne(
      { url: 'https://h.invalid/' },
      { proxy: `http://127.0.0.1:${proxy.port}` },
    );
    expect(dropped.error?.code).toBe('CONNECTION');
    expect(dropped.error?.message).toContain(`the proxy 127.0.0.1:${proxy.port} `);
    expect(dropped.retry).toEqual({});
  });

  test('that never answers CONNECT times out and does not delay the close', async () => {
    const proxy = await tunnelling('hang');
    const options = { proxy: `http://127.0.0.1:${proxy.port}`, timeout: 200 };
    const { error, retry } = await fetchOne({ url: 'https://h.invalid/' }, options);
    expect(error?.code).toBe('TIMEOUT');
    expect(retry).toEqual({});
  });

  test('over TLS opens tunnels, and its own certificate is verified', async () => {
    const server = await serveTls((response) => response.end('ok'));
    const { port } = await tunnelling();
    const proxy = await listenTls((socket) => {
      const on = connect(port, '127.0.0.1');
      for (const end of [on, socket]) end.on('error', () => {});
      on.pipe(socket).pipe(on);
    });
    const url = `https://127.0.0.1:${proxy}`;
    expect((await fetchOne({ url: server.url }, { proxy: url, insecure: true })).result?.text).toBe('ok');
    const { error } = await fetchOne({ url: server.url }, { proxy: url });
    expect(error?.code).toBe('TLS');
    expect(error?.message).toContain(`certificate of the proxy 127.0.0.1:${proxy} is not trusted`);
  });

  test('comes from the environment, lower-case variables first, and no_proxy excludes hosts', async () => {
    const proxy = await serve((response) => response.end('by proxy'));
    const direct = await serve((response) => response.end('direct'));
    const env = {
      http_proxy: proxy.url,
      HTTP_PROXY: 'http://127.0.0.1:1',
      NO_PROXY: `127.0.0.1:${direct.port}`,
    };
    expect((await fetchOne({ url: 'http://h.invalid/' }, { env })).result?.text).toBe('by proxy');
    expect((await fetchOne({ url: direct.url }, { env })).result?.text).toBe('direct');
  });

  test('of --proxy is used for all hosts and overrides the environment', async () => {
    const proxy = await serve((response) => response.end('by proxy'));
    const options = { proxy: proxy.url, env: { no_proxy: '*', http_proxy: 'http://127.0.0.1:1' } };
    expect((await fetchOne({ url: 'http://127.0.0.1:1/' }, options)).result?.text).toBe('by proxy');
  });
});

describe('the proxy settings', () => {
  test('fall back to all_proxy, and accept a host without a scheme', () => {
    const settings = proxySettings(undefined, { ALL_PROXY: 'all:3128', https_proxy: 'https://secure' });
    expect(settings?.http?.href).toBe('http://all:3128/');
    expect(settings?.https?.href).toBe('https://secure/');
    expect(proxySettings(undefined, { http_proxy: '' })).toBeUndefined();
  });

  test.each(['socks4://jo:secret@h:1080', 'socks5://', 'socks://h', 'ftp://h', 'http://'])(
    'reject %s',
    (proxy) => {
      expect(() => proxySettings(proxy, {})).toThrow(expect.objectContaining({ code: 'USAGE' }));
      expect(() => proxySettings(undefined, { all_proxy: proxy })).toThrow(/^all_proxy/);
      expect(() => proxySettings(proxy, {})).not.toThrow('secret');
      expect(() => proxySettings(proxy, {})).toThrow(
        '--proxy must be the url of a proxy with http://, https://, socks5:// or socks5h://; got "',
      );
    },
  );

  test.each([
    ['example.com', 'example.com', true],
    ['example.com', 'www.example.com', true],
    ['example.com', 'notexample.com', false],
    ['.example.com', 'example.com', true],
    ['*.example.com', 'a.b.example.com', true],
    ['EXAMPLE.com', 'example.COM', true],
    ['a, b c', 'b', true],
    ['example.com:8080', 'example.com', false],
    ['example.com:80', 'example.com', true],
    ['*', 'anything', true],
    ['', 'anything', false],
    ['127.0.0.1', '127.0.0.1', true],
    ['0.0.1', '127.0.0.1', false],
    ['10.0.0.0/8', '10.1.2.3', true],
    ['10.0.0.0/8', '11.1.2.3', false],
    ['::1', '[::1]', true],
    ['0:0:0:0:0:0:0:1', '[::1]', true],
    ['[0::1]', '[::1]', true],
    ['[::1]:80', '[::1]', true],
    ['fe80::/10', '[fe80::1]', true],
  ])('with no_proxy=%s exclude %s: %s', (list, host, isDirect) => {
    expect(compileNoProxy(list)(host, 80)).toBe(isDirect);
  });
});
