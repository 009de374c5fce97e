import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isAboutObject, S3Error } from '../../src/core/s3/s3-faults.ts';
import { serve } from '../support/http-server.ts';
import { freshFolder, sh } from '../support/run.ts';
import { hasSwift, needsS3, startS3, startS3Proxy, type TestS3 } from '../support/s3.ts';

let server: TestS3;
beforeAll(async () => {
  if (!hasSwift) return;
  server = await startS3();
  await server.bucket('out');
}, 60_000);

const line = (uuid: string, text = ''): string => `${JSON.stringify({ uuid, text })}\n`;
const xml = (code: string): string => `<Error><Code>${code}</Code><Message>no</Message></Error>`;

describe('an object that the server refuses', { timeout: 60_000 }, () => {
  beforeEach(needsS3);

  test('goes to the rest file with the reason, and the others are stored and marked', async () => {
    const cwd = freshFolder();
    const url = await startS3Proxy(server, ({ method, body }) =>
      method === 'PUT' && body.includes('large') ? [400, xml('EntityTooLarge')] : undefined,
    );
    const lines = Array.from({ length: 40 }, (_, i) => line(`u${i}`, i === 7 ? 'large' : ''));
    const end = await sh('task-save s3://out/refused/ --ledger l.jsonl', {
      cwd,
      input: lines.join(''),
      env: server.env({ AWS_ENDPOINT_URL: url }),
    });
    expect(end).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/saved 39, 1 that s3:\/\/out\/refused\/ cannot hold/),
    });
    const names = lines.map((_, i) => `u${i}`).filter((name) => name !== 'u7');
    expect(await server.keys('out', 'refused/')).toEqual(names.map((name) => `refused/${name}.json`).sort());
    expect((await sh('task-done list l.jsonl | sort', { cwd })).stdout).toBe(`${names.sort().join('\n')}\n`);
    const rest = join(cwd, 's3+out+refused.rest.ndjson');
    expect(JSON.parse(readFileSync(rest, 'utf8'))).toMatchObject({
      uuid: 'u7',
      run: {
        state: 'FAILURE',
        error: { code: 'CONSTRAINT', message: expect.stringMatching(/u7\.json: .*EntityTooLarge: no/) },
      },
    });
    const again = await sh('task-save s3://out/refused/ --ledger l.jsonl < s3+out+refused.rest.ndjson', {
      cwd,
      env: server.env(),
    });
    expect([again.code, existsSync(rest)]).toEqual([0, false]);
    expect((await server.get('out/refused/u7.json')).text).toBe(line('u7', 'large'));
  });

  test('is forgotten if a later record of its task is stored', async () => {
    const cwd = freshFolder();
    const url = await startS3Proxy(server, ({ method, body }) =>
      method === 'PUT' && body.includes('large') ? [413, '<html>'] : undefined,
    );
    for (const flush of [1, 9]) {
      const end = await sh(`task-save s3://out/later${flush}/ --ledger l.jsonl --flush ${flush}`, {
        cwd,
        input: line('a', 'large') + line('b') + line('a', 'short'),
        env: server.env({ AWS_ENDPOINT_URL: url }),
      });
      expect([end.code, existsSync(join(cwd, `s3+out+later${flush}.rest.ndjson`))]).toEqual([
        flush === 1 ? 1 : 0,
        false,
      ]);
      expect((await server.get(`out/later${flush}/a.json`)).text).toBe(line('a', 'short'));
    }
  });

  test('ends the run if it is about the credentials', async () => {
    const url = await startS3Proxy(server, ({ method }) =>
      method === 'PUT' ? [400, xml('ExpiredToken')] : undefined,
    );
    const end = await sh('task-save s3://out/expired/', {
      input: line('a'),
      env: server.env({ AWS_ENDPOINT_URL: url }),
    });
    expect(end).toMatchObject({ code: 74, stderr: expect.stringContaining('the credentials have expired') });
  });
});

describe('a server that is not one of S3', { timeout: 60_000 }, () => {
  test.each<readonly [string, string, RegExp]>([
    ['does not speak TLS', 'https', /https:\S+ does not speak TLS; is http:\/\/ meant in AWS_ENDPOINT_URL\?/],
    ['answers 404', 'http', /http:\S+ answers HTTP 404 without an error of S3; is AWS_ENDPOINT_URL right\?/],
  ])('is reported as one that %s', async (_, scheme, words) => {
    const { port } = await serve((response) => void response.writeHead(404).end('<html>'));
    const env = {
      AWS_ENDPOINT_URL: `${scheme}://127.0.0.1:${port}`,
      AWS_ACCESS_KEY_ID: 'id',
      AWS_SECRET_ACCESS_KEY: 'hush',
    };
    for (const command of ['task-save s3://out/x/', 'task-load s3://out/x.csv']) {
      const end = await sh(command, { env, input: line('a') });
      expect(end).toMatchObject({ code: 74, stderr: expect.stringMatching(words) });
      expect(end.stderr).toContain(command.slice(10)); // the prefix, or the object
    }
  });
});

describe('a server that freezes', { timeout: 60_000 }, () => {
  beforeEach(needsS3);

  test.each([
    ['task-save s3://out/frozen/', 's3://out'],
    ['task-load s3://out/frozen.csv', 's3://out/frozen.csv'],
  ])('is reported at once, and ends after --patience: %s', async (command, place) => {
    server.freeze(true);
    const end = await sh(`${command} --patience 1s`, { input: line('a'), env: server.env() });
    server.freeze(false);
    expect(end).toMatchObject({
      code: 74,
      stderr: expect.stringMatching(
        new RegExp(`: ${place}.*: no answer from http:.*; trying again for 1 s\\n.*: ${place}.*: no answer`),
      ),
    });
  });
});

test.each([
  [400, 'EntityTooLarge', true],
  [400, 'InvalidArgument', true],
  [400, 'HTTP 400', true],
  [413, 'HTTP 413', true],
  [414, 'KeyTooLongError', true],
  [400, 'ExpiredToken', false],
  [400, 'RequestTimeout', false],
  [400, 'AuthorizationHeaderMalformed', false],
  [400, 'KMS.DisabledException', false],
  [301, 'PermanentRedirect', false],
  [401, 'HTTP 401', false],
  [403, 'QuotaExceeded', false],
  [404, 'NoSuchBucket', false],
  [408, 'HTTP 408', false],
  [409, 'OperationAborted', false],
  [412, 'PreconditionFailed', false],
  [429, 'SlowDown', false],
  [501, 'NotImplemented', false],
  [503, 'SlowDown', false],
] as const)('a refusal with %i %s is about one object: %s', (status, code, is) => {
  expect(isAboutObject(new S3Error(status, code, '', ''))).toBe(is);
});
