import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Executor } from '../../../src/executors/contract.ts';
import type { HttpOptions } from '../../../src/executors/http/index.ts';
import { closedPort, serve } from '../../support/http-server.ts';
import { freshFolder } from '../../support/run.ts';
import { attempt, open, taskOf } from './support.ts';

/** Any text: arbitrary UTF-16 code units, lone surrogates, control characters, and very long strings. */
const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code)) }),
  fc.constantFrom(
    ...['\ud83d', 'a\udc00=\ud800&b', '\n', '\0', 'a\r\nInjected: 1', 'ü', '\u0100', '\x80', ' ', '='],
    ...['{', '[', '{"a":"\\ud800"}', '{"a":[', '[1,2', '__proto__', 'constructor', '1e999', '-1', '99999d'],
    ...['a'.repeat(1_000_000), 'a=1&'.repeat(200_000), `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`],
  ),
);

const name = fc.oneof(
  anyText,
  fc.constantFrom(
    'Host',
    'Cookie',
    'Content-Type',
    'content-length',
    'Expect',
    'TE',
    'Range',
    'toString',
    'a',
  ),
);

/** Any JSON value that a record can have. */
const anyValue: fc.Arbitrary<unknown> = fc.oneof(
  anyText,
  fc.dictionary(name, fc.oneof(anyText, fc.jsonValue({ maxDepth: 2 })), { maxKeys: 4 }),
  fc.jsonValue({ maxDepth: 3 }),
);

const method = fc.oneof(
  fc.constantFrom('get', 'POST', 'put', 'patch', 'delete', 'head', 'options', 'json'),
  anyValue,
);

const odds = [
  'http://',
  'http://a..b',
  'http://[::1',
  'http://h:99999',
  'https://xn--',
  'http://\u0130.\uff0f',
];

/** Records whose urls are invalid or point only to these ports of 127.0.0.1. A server listens on the first port. */
function records(ports: readonly number[]): fc.Arbitrary<object> {
  const local = fc
    .tuple(
      fc.constantFrom('http', 'https', 'HTTP'),
      fc.constantFrom(...ports),
      fc.constantFrom('/', '?', '#'),
      anyText,
    )
    .map(([scheme, port, mark, rest]) => `${scheme}://127.0.0.1:${port}${mark}${rest}`);
  const withUser = fc
    .tuple(fc.constantFrom(...ports), anyText)
    .map(
      ([port, user]) => `http://${encodeURI(user.toWellFormed()).replace(/[/?#]/g, '')}@127.0.0.1:${port}/`,
    );
  const url = fc.oneof({ weight: 6, arbitrary: local }, withUser, anyValue, fc.constantFrom(...odds));
  const timeout = fc.oneof(fc.constantFrom(5, '5s', '30d', 1e300), anyValue);
  const rest = { id: anyValue, params: anyValue, data: anyValue, json: anyValue, headers: anyValue };
  const any = fc.record({ url, method, ...rest, timeout }, { requiredKeys: [] });
  // One in ten is a good GET, so that some succeed for certain.
  const good = fc.record({
    url: fc.constant(`http://127.0.0.1:${ports[0]}/`),
    id: fc.nat(),
    data: fc.constant('x'),
  });
  return fc.oneof({ weight: 9, arbitrary: any }, good);
}

/** Returns whether the executor would connect to 127.0.0.1, or nowhere because the url is invalid. */
function isLocal(lane: string): boolean {
  return lane === '' || new URL(lane).hostname === '127.0.0.1';
}

/** Asserts that each record has an outcome and throws no exception. Returns how many succeeded. */
async function check(executor: Executor, ports: readonly number[]): Promise<number> {
  let succeeded = 0;
  const property = fc.asyncProperty(records(ports), async (record) => {
    const lane = executor.lane?.(taskOf(record)) as string;
    expect(executor.describe(taskOf(record))).toBeTypeOf('string');
    if (!isLocal(lane)) return;
    const { error, result } = await attempt(executor, record);
    expect(error ?? result).toBeDefined();
    if (error === undefined) succeeded++;
  });
  await fc.assert(property, { numRuns: 300 });
  return succeeded;
}

test.each<[words: string, options: (url: string) => HttpOptions]>([
  ['', () => ({})],
  [', with a template', (url) => ({ url: `${url}/{id}?q={data}` })],
  [', with state and a key', () => ({ idempotencyHeader: true, ...state() })],
  [', shown as curl', () => ({ printCurl: () => {}, header: ['X-A: b'], hostErrors: 1_000_000 })],
  [', through a proxy', (url) => ({ env: { http_proxy: url } })],
])(
  'any record has an outcome and throws no exception%s',
  async (_, options) => {
    const server = await serve((response) =>
      response.writeHead(200, { 'cache-control': 'max-age=60' }).end('ok'),
    );
    const executor = await open(options(server.url));
    const succeeded = await check(executor, [server.port, await closedPort()]);
    expect(succeeded).toBeGreaterThan(10);
  },
  60_000,
);

function state(): HttpOptions {
  const folder = freshFolder();
  return { cache: join(folder, 'cache'), cookies: join(folder, 'cookies'), bodyDir: join(folder, 'bodies') };
}
