/* --proxy @FILE: proxies in turn, with the servers microsocks and tinyproxy. */
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { routeOptions } from '../../../../../src/executors/http/transport/routes/route-options.ts';
import { closedPort, serve, serveSocket, serveTls } from '../../../../support/http-server.ts';
import { microsocks, tinyproxy } from '../../../../support/proxies.ts';
import { ended, freshFolder, has, start } from '../../../../support/run.ts';
import { attempt, fetchOne, open } from '../../support.ts';

const hasProxies = (await has('microsocks')) && (await has('tinyproxy'));

/** Writes a list of proxies. @returns the value of --proxy */
function listOf(...proxies: readonly string[]): string {
  const file = join(freshFolder(), 'proxies.txt');
  writeFileSync(file, `# proxies\n\n${proxies.join('\n')}\n`, { mode: 0o600 });
  return `@${file}`;
}

/** Starts an HTTP proxy in this process that answers plain requests. */
async function httpProxy(name: string): Promise<{ readonly url: string; readonly count: () => number }> {
  const server = await serve((response) => response.end(name));
  return { url: server.url, count: () => server.seen.length };
}

describe('a list of proxies', () => {
  test('is used in turn', async () => {
    const [a, b, c] = await Promise.all([httpProxy('a'), httpProxy('b'), httpProxy('c')]);
    const executor = await open({ proxy: listOf(a.url, b.url, c.url) });
    for (let i = 0; i < 9; i++) await attempt(executor, { url: 'http://h.invalid/' });
    expect([a.count(), b.count(), c.count()]).toEqual([3, 3, 3]);
  });

  test('lets a dead proxy rest and continues with another, in the same attempt', async () => {
    const messages: string[] = [];
    const b = await httpProxy('b');
    const dead = await closedPort();
    const info = (message: string): void => void messages.push(message);
    const executor = await open({ proxy: listOf(`127.0.0.1:${dead}`, b.url), info });
    for (let i = 0; i < 10; i++) {
      const { result } = await attempt(executor, { url: 'http://h.invalid/' });
      expect(result).toMatchObject({ text: 'b' });
    }
    expect(messages).toEqual([
      `the proxy 127.0.0.1:${dead} rests for 1 s: connection refused by the proxy 127.0.0.1:${dead}`,
    ]);
  });

  test('lets a proxy rest that refuses the password, and shows no password', async () => {
    const messages: string[] = [];
    const refusing = await serve((response) => {
      response.statusCode = 407;
      response.end();
    });
    const b = await httpProxy('b');
    const executor = await open({
      proxy: listOf(refusing.url.replace('//', '//me:hush@'), b.url),
      info: (message) => void messages.push(message),
    });
    const { result } = await attempt(executor, { url: 'http://h.invalid/' });
    expect(result).toMatchObject({ text: 'b' });
    expect(messages).toEqual([
      `the proxy 127.0.0.1:${refusing.port} rests for 1 s: the proxy 127.0.0.1:${refusing.port} does not accept user and password, or needs them: it answered 407`,
    ]);
  });

  test('continues with another proxy if one never answers', async () => {
    const silent = await serveSocket(() => {});
    const server = await serveTls((response) => response.end('there'));
    const relay = await connectProxy();
    const options = { proxy: listOf(silent.url, relay), insecure: true, timeout: 3000 };
    expect((await fetchOne({ url: server.url }, options)).result).toMatchObject({ text: 'there' });
  });

  test('uses a proxy again once it works again', async () => {
    const port = await closedPort();
    const executor = await open({ proxy: listOf(`127.0.0.1:${port}`, `127.0.0.1:${await closedPort()}`) });
    const waiting = attempt(executor, { url: 'http://h.invalid/' });
    const { createServer } = await import('node:http');
    const server = createServer((_, response) => response.end('back'));
    onTestFinished(() => void server.close());
    const again = waiting.then(async (first) => {
      expect(first.error?.message).toContain('none of the 2 proxies of ');
      server.listen(port, '127.0.0.1');
      return attempt(executor, { url: 'http://h.invalid/' });
    });
    expect((await again).result).toMatchObject({ text: 'back' });
  });

  test('says that no proxy is left, and waits a limited time', async () => {
    const [a, b] = [await closedPort(), await closedPort()];
    const executor = await open({
      proxy: listOf(`socks5h://127.0.0.1:${a}`, `socks5h://127.0.0.1:${b}`),
      timeout: 500,
    });
    const { error, retry } = await attempt(executor, { url: 'http://h.invalid/' });
    expect(error?.message).toMatch(
      /^none of the 2 proxies of .*proxies.txt can be used; the last one: connection refused by the proxy 127.0.0.1:\d+$/,
    );
    expect(retry).toBeDefined();
    const began = performance.now();
    await attempt(executor, { url: 'http://h.invalid/' });
    expect(performance.now() - began).toBeLessThan(5000);
  });

  test('is shown by its file, and a proxy without its login', () => {
    const shown = (typed: string): string | undefined => routeOptions.proxy.redact?.(typed);
    expect(shown('@a@b.txt')).toBe('@a@b.txt');
    expect(shown('me:hu@sh@h:80')).toBe('…@h:80');
    expect(shown('socks5://me:hush@h')).toBe('socks5://…@h');
    expect(shown('h:80')).toBe('h:80');
  });

  test('is checked when it is read', async () => {
    await expect(open({ proxy: listOf() })).rejects.toThrow('has no proxies, one a line');
    await expect(open({ proxy: listOf('socks4://me:hush@h') })).rejects.toThrow(/^--proxy must be(?!.*hush)/);
    await expect(open({ proxy: '@none.txt' })).rejects.toMatchObject({ code: 'IO' });
  });
});

/** Starts an HTTP proxy in this process that opens tunnels. */
async function connectProxy(): Promise<string> {
  const { createServer } = await import('node:http');
  const server = createServer().on('connect', (request, socket) => {
    const on = connect(Number(request.url?.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      on.pipe(socket).pipe(on);
    });
    for (const one of [on, socket]) one.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}

test.skipIf(!hasProxies)(
  '1,000 tasks all succeed although two of four proxies are killed in mid-run',
  async () => {
    const proxies = await Promise.all([microsocks(['me', 'hush']), microsocks(), tinyproxy(), tinyproxy()]);
    const [first, second, third, fourth] = proxies;
    const server = await serve((response, { url }) => {
      if (url === '/300') void first?.kill();
      if (url === '/600') void third?.kill();
      setTimeout(() => response.end(url), 5);
    });
    const proxy = listOf(
      `socks5h://me:hush@${first?.host}`,
      `socks5://${second?.host}`,
      `http://${third?.host}`,
      `http://${fourth?.host}`,
    );
    const lines = Array.from({ length: 1000 }, (_, i) => `{"uuid":"${i}","url":"${server.url}/${i}"}\n`);
    const child = start(`task-exec --http --proxy '${proxy}' --retries 0 -j 20`);
    child.stdin?.end(lines.join(''));
    const { stdout, stderr, code } = await ended(child);
    const records = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records.filter(({ run }) => run.state !== 'SUCCESS').map(({ run }) => run.error)).toEqual([]);
    expect(new Set(records.map(({ result }) => result.text)).size).toBe(1000);
    expect(records.every(({ run }) => run.attempts === 1)).toBe(true);
    expect(code).toBe(0);
    expect(stderr).toContain(`the proxy ${first?.host} rests for 1 s`);
    expect(stdout + stderr).not.toContain('hush');
  },
);
