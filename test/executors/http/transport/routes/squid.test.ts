/* A third-party forward proxy: squid, with http, https by CONNECT, and a login. */
import { describe, expect, test } from 'vitest';
import { closedPort, serve, serveTls } from '../../../../support/http-server.ts';
import { squid } from '../../../../support/proxies.ts';
import { has, sh } from '../../../../support/run.ts';
import { fetchOne, type Tried } from '../../support.ts';

const isThere = (await has('squid')) && (await has('openssl'));

describe.skipIf(!isThere)('squid (needs squid and openssl)', () => {
  test('carries http, and https in a tunnel', async () => {
    const proxy = await squid();
    const plain = await serve((response) => response.end('plain'));
    const secure = await serveTls((response) => response.end('secure'));
    const options = { proxy: `http://${proxy.host}`, insecure: true };
    expect((await fetchOne({ url: `${plain.url}/a?b=1` }, options)).result).toMatchObject({ text: 'plain' });
    expect((await fetchOne({ url: secure.url }, options)).result).toMatchObject({ text: 'secure' });
    expect(plain.seen[0]?.url).toBe('/a?b=1');
    expect(plain.seen[0]?.headers.via).toContain('squid');
    expect(secure.seen[0]?.headers.via).toBeUndefined();
  });

  test('receives user and password, which no server sees, and says if they are wrong', async () => {
    const proxy = await squid(['me', 'p@ss']);
    const plain = await serve((response) => response.end('plain'));
    const secure = await serveTls((response) => response.end('secure'));
    const by = (login: string, url: string): Promise<Tried> =>
      fetchOne({ url }, { proxy: `http://${login}${proxy.host}`, insecure: true });
    for (const server of [plain, secure]) {
      expect((await by('me:p%40ss@', server.url)).result).toMatchObject({ status: 200 });
      expect(server.seen[0]?.headers['proxy-authorization']).toBeUndefined();
    }
    for (const login of ['me:hush@', '']) {
      for (const { url } of [plain, secure])
        expect((await by(login, url)).error).toEqual({
          code: 'CONNECTION',
          message: `the proxy ${proxy.host} does not accept user and password, or needs them: it answered 407 (squid: ERR_CACHE_ACCESS_DENIED)`,
        });
    }
    expect([plain, secure].map(({ seen }) => seen.length)).toEqual([1, 1]);
  });

  test('is named if it answers instead of the server: access denied, no connection', async () => {
    const proxy = await squid(
      undefined,
      'acl forbidden dstdomain forbidden.invalid',
      'http_access deny forbidden',
    );
    const port = await closedPort();
    const by = (url: string): Promise<Tried> => fetchOne({ url }, { proxy: `http://${proxy.host}` });
    const denied = await by('http://forbidden.invalid/');
    expect(denied.error).toEqual({
      code: 'HTTP_STATUS',
      message: '403 Forbidden (squid: ERR_ACCESS_DENIED)',
    });
    expect(denied.retry).toBeUndefined();
    expect(denied.result?.text).toContain('ERR_ACCESS_DENIED');
    expect((await by('https://forbidden.invalid/')).error?.message).toBe(
      `the proxy ${proxy.host} refuses a tunnel to forbidden.invalid:443: it answered 403 (squid: ERR_ACCESS_DENIED)`,
    );
    const unreachable = await by(`http://127.0.0.1:${port}/`);
    expect(unreachable.error?.message).toBe('503 Service Unavailable (squid: ERR_CONNECT_FAIL)');
    expect(unreachable.retry).toBeDefined();
    expect((await by(`https://127.0.0.1:${port}/`)).error?.message).toContain(
      `refuses a tunnel to 127.0.0.1:${port}: it answered 503 (squid: ERR_CONNECT_FAIL)`,
    );
  });

  test('may be one of a list: one that refuses the password rests, and the other takes over', async () => {
    const [open, closed] = [await squid(), await squid(['me', 'p@ss'])];
    const server = await serve((response) => response.end('ok'));
    const input = Array.from({ length: 10 }, (_, i) => `{"uuid":"${i}","url":"${server.url}/${i}"}\n`).join(
      '',
    );
    const list = `printf 'http://me:hush@${closed.host}\\nhttp://${open.host}\\n'`;
    const { stdout, stderr, code } = await sh(`task-exec --http --proxy @<(${list}) -j 2 --retries 0`, {
      input,
    });
    expect(code).toBe(0);
    expect(stdout.match(/"state":"SUCCESS"/g)).toHaveLength(10);
    expect(stderr).toContain(`the proxy ${closed.host} rests for 1 s`);
    expect(stdout + stderr).not.toContain('hush');
  });
});
