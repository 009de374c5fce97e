import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Executor } from '../../../../src/executors/contract.ts';
import { serveRaw } from '../../../support/http-server.ts';
import { attempt, fetchOne, open } from '../support.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n';
const packed = gzipSync('hello').toString('latin1');
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

/** Answers of real servers that curl and browsers accept, and their texts. */
const ACCEPTED: readonly (readonly [title: string, answer: string, text: string | undefined])[] = [
  ['after 100 Continue', `HTTP/1.1 100 Continue\r\n\r\n${OK}content-length: 2\r\n\r\nok`, 'ok'],
  [
    'after several interim responses',
    `HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n${OK}content-length: 2\r\n\r\nok`,
    'ok',
  ],
  [
    'with a length beside chunks',
    `${OK}content-length: 10\r\ntransfer-encoding: chunked\r\n\r\n${chunk('abc')}${chunk('')}`,
    'abc',
  ],
  [
    'of HTTP/1.0 with the identity coding',
    'HTTP/1.0 200 OK\r\ntransfer-encoding: identity\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok',
    'ok',
  ],
  [
    'with a folded header',
    `HTTP/1.1 200 OK\r\nx-f: a\r\n b\r\n\tc\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nok`,
    'ok',
  ],
  [
    'with lines that end without CR',
    'HTTP/1.1 200 OK\ncontent-type: text/plain\ncontent-length: 2\n\nok',
    'ok',
  ],
  ['with one length said twice', `${OK}content-length: 2\r\ncontent-length: 2\r\n\r\nok`, 'ok'],
  ['with one length in a list', `${OK}content-length: 2, 2\r\nContent-Length: 2\r\n\r\nok`, 'ok'],
  [
    'gzipped by the transfer, in chunks',
    `${OK}transfer-encoding: gzip, chunked\r\n\r\n${chunk(packed)}${chunk('')}`,
    'hello',
  ],
  [
    'gzipped by the transfer, in two headers',
    `${OK}Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(packed)}${chunk('')}`,
    'hello',
  ],
  ['204 with chunks', 'HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n', undefined],
  ['204 with a length', 'HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\n', undefined],
  ['204 with a body', 'HTTP/1.1 204 No Content\r\ncontent-length: 3\r\n\r\nabc', undefined],
];

/** Answers without a safe meaning, and their messages. */
const REFUSED: readonly (readonly [title: string, answer: string, words: string])[] = [
  [
    'two lengths',
    `${OK}content-length: 2\r\ncontent-length: 3\r\n\r\nok`,
    'it announces "2" and "3" bytes at once (--lenient takes the first)',
  ],
  [
    'a status below 100',
    'HTTP/1.1 099 X\r\ncontent-length: 2\r\n\r\nok',
    'its first line is "HTTP/1.1 099 X", which has no valid status',
  ],
  [
    'a switch of protocols',
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n',
    'it switches to another protocol, which was not requested',
  ],
  [
    'chunks inside another coding',
    `${OK}transfer-encoding: chunked, gzip\r\n\r\n`,
    'its Transfer-Encoding has "chunked" before its end (--lenient takes it as the end)',
  ],
];

describe('an answer', () => {
  for (const [title, answer, text] of ACCEPTED) {
    test(`${title} is accepted`, async () => {
      const server = await serveRaw((socket) => void socket.end(Buffer.from(answer, 'latin1')));
      const { error, result } = await fetchOne({ url: server.url });
      expect(error).toBeUndefined();
      expect(result?.text).toBe(text);
    });

    test(`${title} is accepted byte by byte`, async () => {
      const server = await serveRaw(async (socket) => {
        socket.setNoDelay(true);
        for (const byte of Buffer.from(answer, 'latin1')) {
          socket.write(Buffer.of(byte));
          await new Promise(setImmediate);
        }
        socket.end();
      });
      const { error, result } = await fetchOne({ url: server.url });
      expect(error).toBeUndefined();
      expect(result?.text).toBe(text);
    });
  }

  test.each(REFUSED)('with %s fails, and the message says why', async (_, answer, words) => {
    const server = await serveRaw((socket) => void socket.end(answer));
    expect((await fetchOne({ url: server.url })).error).toEqual({
      code: 'CONNECTION',
      message: `the answer of 127.0.0.1:${server.port} is invalid: ${words}`,
    });
  });

  test('shows no control characters of the server in a message', async () => {
    const server = await serveRaw((socket) => void socket.end('HTTP/1.1 099 \u001b[2J\u0007\r\n\r\n'));
    const { error } = await fetchOne({ url: server.url });
    expect(error?.message).not.toMatch(/[\u0000-\u001f]/);
  });

  test('to HEAD may have a body, which is not read', async () => {
    const server = await serveRaw((socket) => void socket.write(`${OK}content-length: 5\r\n\r\nhello`));
    const executor = await open();
    for (let i = 0; i < 2; i++) {
      const { error, result } = await attempt(executor, { url: server.url, method: 'head' });
      expect(error).toBeUndefined();
      expect(result).toMatchObject({ status: 200 });
    }
  });

  test('with an unclear end is not followed by another on its connection', async () => {
    const smuggled = `${OK}content-length: 100\r\ntransfer-encoding: chunked\r\n\r\n${chunk('abc')}${chunk('')}${OK}content-length: 4\r\n\r\nevil`;
    const server = await serveRaw((socket, _, count) => {
      if (count === 1) socket.write(smuggled);
      else socket.write(`${OK}content-length: 4\r\n\r\ngood`);
    });
    const executor = await open();
    await attempt(executor, { url: server.url });
    expect((await attempt(executor, { url: server.url })).result?.text).toBe('good');
    expect(server.connections).toBe(2);
  });

  test('with endless interim responses fails', async () => {
    const server = await serveRaw((socket) => void socket.write('HTTP/1.1 100 Continue\r\n\r\n'.repeat(200)));
    expect((await fetchOne({ url: server.url })).error?.message).toContain(
      'begins with 100 interim responses',
    );
  });
});

describe('--lenient', () => {
  test.each([
    ['of two lengths takes the first', `${OK}content-length: 2\r\ncontent-length: 3\r\n\r\nok`, 'ok'],
    ['ignores bytes after the body', `${OK}content-length: 2\r\n\r\nokextra`, 'ok'],
    [
      'takes chunks before another coding as the end',
      `${OK}transfer-encoding: chunked, identity, chunked\r\n\r\n${chunk('ok')}${chunk('')}`,
      'ok',
    ],
    [
      'takes chunks that are gzipped, whatever their order',
      `${OK}transfer-encoding: chunked, gzip\r\n\r\n${chunk(packed)}${chunk('')}`,
      'hello',
    ],
    ['ignores an invalid length', `${OK}content-length: -5\r\n\r\nok`, 'ok'],
    ['cleans a header of control characters', `${OK}x-a: b\0c\rd\r\ncontent-length: 2\r\n\r\nok`, 'ok'],
    ['takes a space before a colon', `${OK}content-length : 2\r\n\r\nok`, 'ok'],
    ['leaves out a line that is not a header', `${OK}oops\r\nx y: 1\r\ncontent-length: 2\r\n\r\nok`, 'ok'],
    ['takes an answer without oddities', `${OK}content-length: 2\r\n\r\nok`, 'ok'],
  ])('%s', async (_, answer, text) => {
    const server = await serveRaw((socket) => void socket.end(Buffer.from(answer, 'latin1')));
    const { error, result } = await fetchOne({ url: server.url }, { lenient: true });
    expect(error).toBeUndefined();
    expect(result?.text).toBe(text);
    if (!answer.startsWith(`${OK}content-length: 2\r\n\r\nok`))
      expect((await fetchOne({ url: server.url })).error?.message).toContain('--lenient');
  });

  test('follows the first of two locations', async () => {
    const server = await serveRaw((socket, head) => {
      if (!head.startsWith('GET / ')) socket.end(`${OK}content-length: 2\r\n\r\nok`);
      else socket.end('HTTP/1.1 302 Found\r\nlocation: /x\r\nlocation: /y\r\ncontent-length: 0\r\n\r\n');
    });
    expect((await fetchOne({ url: server.url })).error?.message).toContain('(--lenient takes the first)');
    expect((await fetchOne({ url: server.url }, { lenient: true })).result?.url).toBe(`${server.url}/x`);
  });

  test('does not use the connection of a doubtful answer again', async () => {
    const server = await serveRaw(
      (socket) => void socket.write(`${OK}content-length: 2\r\ncontent-length: 3\r\n\r\nok`),
    );
    const executor = await open({ lenient: true });
    for (let i = 0; i < 3; i++)
      expect((await attempt(executor, { url: server.url })).result?.text).toBe('ok');
    expect(server.connections).toBe(3);
  });
});

describe('a request on a reused connection', () => {
  const answer = `${OK}content-length: 2\r\n\r\nok`;
  const post = { method: 'post', data: 'x' };

  /** Opens an executor with an idle connection to a server. */
  async function withConnection(url: string): Promise<Executor> {
    const executor = await open();
    await attempt(executor, { url, ...post });
    await new Promise(setImmediate); // undici uses a connection again in the next turn of the event loop
    return executor;
  }

  test('that the server closes before it reads the request is sent again, also a POST', async () => {
    for (const end of ['destroy', 'resetAndDestroy'] as const) {
      const server = await serveRaw((socket, _, count) => {
        if (count === 2) socket[end]();
        else socket.write(answer);
      });
      const { error, result } = await attempt(await withConnection(server.url), { url: server.url, ...post });
      expect(error).toBeUndefined();
      expect(result?.text).toBe('ok');
      expect(server.connections).toBe(2);
    }
  });

  test('that breaks on the new connection too fails, and is sent no third time', async () => {
    let requests = 0;
    const server = await serveRaw((socket, _, count) => {
      requests = count;
      if (count > 1) socket.destroy();
      else socket.write(answer);
    });
    const { error } = await attempt(await withConnection(server.url), { url: server.url, ...post });
    expect(error?.code).toBe('CONNECTION');
    expect(requests).toBe(3);
  });

  test('that breaks after the server had time to act is not sent again if it is a POST', async () => {
    let requests = 0;
    const server = await serveRaw((socket, _, count) => {
      requests = count;
      if (count === 2) setTimeout(() => socket.destroy(), 400);
      else socket.write(answer);
    });
    const executor = await withConnection(server.url);
    const { error, retry } = await attempt(executor, { url: server.url, ...post });
    expect(error?.code).toBe('CONNECTION');
    expect(retry).toBeUndefined();
    expect(requests).toBe(2);
  });
});
