import { describe, expect, test } from 'vitest';
import { closedPort, serve, serveRaw, serveSocket, serveTls } from '../../../support/http-server.ts';
import { attempt, fetchOne, open, stage, taskOf } from '../support.ts';

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n';

describe('a connection', () => {
  test('that is refused fails the task, names the host, and can be retried for any method', async () => {
    const port = await closedPort();
    for (const method of ['get', 'post']) {
      const { error, retry, result } = await fetchOne({
        url: `http://127.0.0.1:${port}/`,
        method,
        data: 'x',
      });
      expect(error).toEqual({ code: 'CONNECTION', message: `connection refused by 127.0.0.1:${port}` });
      expect(retry).toEqual({});
      expect(result).toBeUndefined();
    }
  });

  test('that both addresses of localhost refuse is reported as refused', async () => {
    const port = await closedPort();
    const { error } = await fetchOne({ url: `http://localhost:${port}/` });
    expect(error).toEqual({ code: 'CONNECTION', message: `connection refused by localhost:${port}` });
  });

  test('to a name that cannot be resolved can be retried', async () => {
    const { error, retry } = await fetchOne({ url: 'http://nowhere.invalid/' });
    expect(error?.code).toBe('CONNECTION');
    expect(error?.message).toMatch(/cannot resolve nowhere\.invalid:80/);
    expect(retry).toEqual({});
  });

  test.each([
    ['closed', (socket: { destroy(): void }) => socket.destroy(), /closed the connection before it answered/],
    [
      'reset',
      (socket: { resetAndDestroy(): void }) => socket.resetAndDestroy(),
      /reset the connection before/,
    ],
  ])('that is %s before a response can be retried, except for a POST', async (_, end, words) => {
    const server = await serveRaw((socket) => end(socket));
    const executor = await open();
    const got = await attempt(executor, { url: server.url });
    expect(got.error).toMatchObject({ code: 'CONNECTION', message: expect.stringMatching(words) });
    expect(got.retry).toEqual({});
    const posted = await attempt(executor, { url: server.url, method: 'post', data: 'x' });
    expect(posted.error?.code).toBe('CONNECTION');
    expect(posted.retry).toBeUndefined();
  });

  test('to a server that does not speak HTTP fails the task', async () => {
    const server = await serveRaw((socket) => socket.end('SSH-2.0-OpenSSH_9.6\r\n'));
    const { error } = await fetchOne({ url: server.url });
    expect(error).toMatchObject({
      code: 'CONNECTION',
      message: expect.stringContaining('does not answer in HTTP'),
    });
  });
});

describe('a body', () => {
  test('shorter than announced fails the task and gives no result', async () => {
    const server = await serveRaw((socket) => socket.end(`${HEAD}content-length: 250\r\n\r\n0123456789`));
    const { error, result, retry } = await fetchOne({ url: server.url });
    expect(error).toEqual({
      code: 'CONNECTION',
      message: `the body from 127.0.0.1:${server.port} ended after 10 of 250 bytes`,
    });
    expect(result).toBeUndefined();
    expect(retry).toEqual({});
  });

  test('with an incomplete chunk fails the task', async () => {
    const server = await serveRaw((socket) =>
      socket.end(`${HEAD}transfer-encoding: chunked\r\n\r\na\r\n01234`),
    );
    expect((await fetchOne({ url: server.url })).error?.code).toBe('CONNECTION');
  });

  test.each(['', 'connection: close\r\n'])('longer than announced fails the task (%j)', async (header) => {
    const server = await serveRaw((socket) =>
      socket.end(`${HEAD}${header}content-length: 5\r\n\r\nhello, world`),
    );
    const { error, retry } = await fetchOne({ url: server.url });
    expect(error?.message).toBe(
      `127.0.0.1:${server.port} sent more than the body of 5 bytes (--lenient ignores the rest)`,
    );
    expect(error?.code).toBe('CONNECTION');
    expect(retry).toEqual({});
  });

  test('of the announced length succeeds, even if the server then closes the connection', async () => {
    const server = await serveRaw((socket, _, count) => {
      const header = count % 2 === 0 ? 'connection: close\r\n' : '';
      socket.end(`${HEAD}${header}content-length: 5\r\n\r\nhello`);
    });
    const executor = await open();
    for (let i = 0; i < 10; i++) {
      const { error, result } = await attempt(executor, { url: server.url });
      expect(error).toBeUndefined();
      expect(result?.text).toBe('hello');
    }
  });

  test('without a length ends with the connection, and fails if the connection is reset', async () => {
    const whole = await serveRaw((socket) => socket.end(`${HEAD}\r\nhello`));
    expect((await fetchOne({ url: whole.url })).result?.text).toBe('hello');
    const broken = await serveRaw((socket) => {
      socket.write(`${HEAD}\r\nhello`, () => setTimeout(() => socket.resetAndDestroy(), 50));
    });
    const { error, result } = await fetchOne({ url: broken.url });
    expect(error?.code).toBe('CONNECTION');
    expect(result).toBeUndefined();
  });

  test('that is cut off by a reset fails the task and can be retried', async () => {
    const server = await serveRaw((socket) => {
      socket.write(`${HEAD}content-length: 250\r\n\r\nhello`, () =>
        setTimeout(() => socket.resetAndDestroy(), 50),
      );
    });
    const { error, retry } = await fetchOne({ url: server.url });
    expect(error).toMatchObject({
      code: 'CONNECTION',
      message: expect.stringMatching(/ended after \d+ of 250|before it answered/),
    });
    expect(retry).toEqual({});
  });
});

describe('the timeout', () => {
  test('ends an attempt that gets no response', async () => {
    const server = await serve(() => {});
    const { error, retry } = await fetchOne({ url: server.url }, { timeout: 100 });
    expect(error).toEqual({
      code: 'TIMEOUT',
      message: `no answer from 127.0.0.1:${server.port} within 100 ms`,
    });
    expect(retry).toEqual({});
  });

  test('is total: a slow body does not extend it', async () => {
    const server = await serve((response) => {
      const timer = setInterval(() => response.write('x'), 20);
      response.on('close', () => clearInterval(timer));
    });
    const begun = performance.now();
    const { error, result } = await fetchOne({ url: server.url }, { timeout: 300 });
    expect(error).toMatchObject({
      code: 'TIMEOUT',
      message: expect.stringContaining('did not end within 300 ms'),
    });
    expect(result).toBeUndefined();
    expect(performance.now() - begun).toBeLessThan(3000);
  });

  test('covers all redirects together', async () => {
    const server = await serve((response) => {
      setTimeout(() => response.writeHead(302, { location: '/again' }).end(), 100);
    });
    const { error } = await fetchOne({ url: server.url }, { timeout: 350, follow: 100 });
    expect(error?.code).toBe('TIMEOUT');
    expect(server.seen.length).toBeLessThan(6);
  });

  test.each([{ timeout: 30 * 86_400_000 }, { timeout: Number.POSITIVE_INFINITY }])(
    'can exceed the maximum of a timer (%o)',
    async (options) => {
      const server = await serve((response) => setTimeout(() => response.end('ok'), 50));
      expect((await fetchOne({ url: server.url }, options)).result?.text).toBe('ok');
      expect((await fetchOne({ url: server.url, timeout: '30d' })).result?.text).toBe('ok');
    },
  );

  test.each([0.1, '0.1', '100ms'])('of a record (%j) overrides that of the stage', async (timeout) => {
    const server = await serve(() => {});
    const { error } = await fetchOne({ url: server.url, timeout }, { timeout: 60_000 });
    expect(error).toMatchObject({ code: 'TIMEOUT', message: expect.stringContaining('100 ms') });
  });

  test('of a POST is not retried, because the server may have acted', async () => {
    const server = await serve(() => {});
    const { error, retry } = await fetchOne({ url: server.url, method: 'post' }, { timeout: 100 });
    expect(error?.code).toBe('TIMEOUT');
    expect(retry).toBeUndefined();
  });

  test('closes the connection to the server', async () => {
    let dropped: () => void = () => {};
    const isDropped = new Promise<void>((resolve) => {
      dropped = resolve;
    });
    const server = await serve((response) => response.on('close', dropped));
    await fetchOne({ url: server.url }, { timeout: 100 });
    await isDropped;
  });
});

test('an abort of the stage ends all attempts at once', async () => {
  const server = await serve(() => {});
  const executor = await open({ timeout: 60_000 });
  const stop = new AbortController();
  const attempts = Array.from({ length: 20 }, () =>
    executor.attempt(taskOf({ url: server.url }), { number: 1, signal: stop.signal, stage }),
  );
  setTimeout(() => stop.abort(), 50);
  const outcomes = await Promise.all(attempts);
  expect(outcomes.map(({ error }) => error?.code)).toEqual(Array(20).fill('ABORTED'));
  const late = await executor.attempt(taskOf({ url: server.url }), { number: 1, signal: stop.signal, stage });
  expect(late.error?.code).toBe('ABORTED');
});

describe('TLS', () => {
  test('verifies certificates even with NODE_TLS_REJECT_UNAUTHORIZED=0, and does not retry a bad one', async () => {
    const server = await serveTls((response) => response.end('secret'));
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';
    try {
      const { error, retry, result } = await fetchOne({ url: server.url });
      expect(error?.code).toBe('TLS');
      expect(error?.message).toContain(`certificate of 127.0.0.1:${server.port} is not trusted`);
      expect(retry).toBeUndefined();
      expect(result).toBeUndefined();
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    }
  });

  test('accepts any certificate with --insecure', async () => {
    const server = await serveTls((response) => response.end('ok'));
    expect((await fetchOne({ url: server.url }, { insecure: true })).result?.text).toBe('ok');
  });

  test('to a server without TLS fails without a retry', async () => {
    const server = await serve((response) => response.end('plain'));
    const { error, retry } = await fetchOne({ url: server.url.replace('http', 'https') });
    expect(error?.code).toBe('TLS');
    expect(retry).toBeUndefined();
  });

  test('that is reset in the handshake can be retried', async () => {
    const server = await serveSocket((socket) => socket.resetAndDestroy());
    const { error, retry } = await fetchOne({ url: server.url.replace('http', 'https') });
    expect(error?.code).toBe('CONNECTION');
    expect(retry).toEqual({});
  });
});

describe('--host-errors', () => {
  test('gives up one host after this number of consecutive connection failures, and no other', async () => {
    const port = await closedPort();
    const other = await serve((response) => response.end('ok'));
    const executor = await open({ hostErrors: 3 });
    const codes: (string | undefined)[] = [];
    for (let i = 0; i < 5; i++) {
      codes.push((await attempt(executor, { url: `http://127.0.0.1:${port}/${i}` })).error?.code);
    }
    expect(codes).toEqual(['CONNECTION', 'CONNECTION', 'CONNECTION', 'HOST_DOWN', 'HOST_DOWN']);
    expect((await attempt(executor, { url: other.url })).error).toBeUndefined();
  });

  test('restarts its count with each response, whatever its status', async () => {
    const server = await serveRaw((socket, _, count) => {
      if (count % 3 === 0) socket.end('HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n');
      else socket.destroy();
    });
    const executor = await open({ hostErrors: 3 });
    const codes: (string | undefined)[] = [];
    for (let i = 0; i < 6; i++) codes.push((await attempt(executor, { url: server.url })).error?.code);
    expect(codes).not.toContain('HOST_DOWN');
    expect(codes.filter((code) => code === 'HTTP_STATUS')).toHaveLength(2);
  });
});
