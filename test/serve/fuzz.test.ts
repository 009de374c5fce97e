/* No request makes the service answer 500: parameters, bodies and headers of all operations, from a generator. */
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { OPERATIONS, type Operation } from '../../src/serve/api/operations.ts';
import { freshFolder } from '../support/run.ts';
import { ask, serve, submit } from './service.ts';

const RUNS = Number(process.env.FUZZ_RUNS ?? 1200);

/** Values that programs often handle wrongly. */
const SEEDS = [
  ...['', ' ', '0', '-1', '1', '-0', '1e3', '1e400', '0x10', 'NaN', 'Infinity', 'null', 'true', '[]', '{}'],
  ...['9007199254740991', '9007199254740992', '9223372036854775807', '9223372036854775808'],
  ...['-9223372036854775809', '99999999999999999999', '1.5', '00', '1,2', "' or 1=1 --", '%', '%00', '%zz'],
  ...['%ED%A0%80', '\u0000', '\ud800', 'RUNNING,', ',', 'RUNNING,RUNNING', '*', '_', '../../etc/passwd'],
  ...['__proto__', 'constructor', 'x'.repeat(300), '\u{1f600}'.repeat(70)],
];

const value = fc.oneof(
  fc.constantFrom(...SEEDS),
  fc.bigInt().map(String),
  fc.double().map(String),
  fc.string({ unit: 'binary' }),
);

/** Generates queries of an operation: its parameters and others, each perhaps missing, twice, or not encoded. */
function queryOf(operation: Operation): fc.Arbitrary<string> {
  const names = [...Object.keys(operation.query ?? {}), 'task_id', '__proto__', 'x'];
  const one = fc.tuple(fc.constantFrom(...names), value, fc.boolean()).map(([name, text, isRaw]) => {
    const encoded = isRaw ? text.replace(/[^!-~]|[#?]/gu, '') : encodeURIComponent(text.toWellFormed());
    return `${name}=${encoded}`;
  });
  return fc.array(one, { maxLength: 5 }).map((pairs) => pairs.join('&'));
}

const json = fc.oneof(
  fc.jsonValue().map((data) => JSON.stringify({ data })),
  fc.json(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    '{"data":{"n":1e999}}',
    '{"data":{}}',
    '{"task_id":5}',
    '{"task_id":null}',
    'null',
    '{"data":{"":{}}}',
  ),
);

/** Headers that are valid in HTTP. */
const headers = fc.dictionary(
  fc.constantFrom(
    'content-type',
    'accept',
    'range',
    'if-none-match',
    'content-encoding',
    'last-event-id',
    'x-forwarded-for',
  ),
  fc.oneof(
    fc.constantFrom(
      'application/json',
      'application/x-ndjson',
      'application/json; charset=utf-16',
      'gzip',
      'bytes=5-1',
    ),
    fc.string({ unit: fc.constantFrom(...'abc/;=*,"\\ 09-') }).map((text) => text.trim()),
  ),
);

const all: readonly Operation[] = Object.values(OPERATIONS).filter(({ id }) => id !== 'streamEvents');
const request = fc.constantFrom(...all).chain((operation) =>
  fc.record({
    operation: fc.constant(operation),
    method: fc.constantFrom(operation.method, operation.method, 'GET', 'HEAD', 'POST', 'DELETE', 'PUT'),
    query: queryOf(operation),
    body: json,
    headers,
  }),
);

test(`answers ${RUNS} generated requests without a 500, each in its usual form`, async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'work.mjs'), 'export default async () => 1;\n');
  const words = ['--port', '0', '--log-dir', 'logs', '--exec', 'task-exec --module work.mjs --quiet'];
  const { url, said, end } = await serve(cwd, words);
  const property = fc.asyncProperty(request, async ({ operation, method, query, body, headers: sent }) => {
    const bytes = Buffer.from(body.toWellFormed());
    const head = Object.entries({
      'content-type': 'application/json',
      ...sent,
      'content-length': bytes.length,
    });
    const path = `${new URL(url).pathname}${operation.path}${query === '' ? '' : `?${query}`}`;
    const lines = [
      `${method} ${path} HTTP/1.1`,
      'host: localhost',
      ...head.map(([name, text]) => `${name}: ${text}`),
    ];
    const { status, text } = await send(
      url,
      Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\nconnection: close\r\n\r\n`), bytes]),
    );
    expect([200, 400, 403, 404, 405, 409, 413, 415, 429], text).toContain(status);
    if (method === 'HEAD') expect(text).toBe('');
    else expect(Object.keys(JSON.parse(text))).toEqual(['status', 'data', 'error_data', 'error_msg']);
  });
  await fc.assert(property, { numRuns: RUNS });
  expect((await submit(url, { n: 1 })).code).toBe(200);
  expect((await ask(`${url}/tasks`)).code).toBe(200);
  expect(await end()).toBe(143);
  expect(said().split('\n').length, 'it said where it is, and nothing else').toBe(2);
}, 300_000);

/** Sends bytes, and returns the answer. */
async function send(url: string, bytes: Buffer): Promise<{ status: number; text: string }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1');
  socket.on('error', () => {});
  socket.write(bytes);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  await new Promise((resolve) => socket.once('close', resolve));
  const [head = '', ...rest] = Buffer.concat(chunks).toString().split('\r\n\r\n');
  const raw = rest.join('\r\n\r\n');
  const text = /transfer-encoding: chunked/i.test(head)
    ? raw.replace(/^[0-9a-f]+\r\n|\r\n[0-9a-f]+\r\n/gi, '')
    : raw;
  return { status: Number(head.split(' ')[1]), text: text.trim() };
}
