import { execFile, execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { escapeControls } from '../../../../src/core/base/terminal-text.ts';
import type { HttpOptions } from '../../../../src/executors/http/index.ts';
import { serve } from '../../../support/http-server.ts';
import { freshFolder } from '../../../support/run.ts';
import { attempt, open, stage, taskOf } from '../support.ts';

async function linesOf(record: object, options: HttpOptions = {}): Promise<string[]> {
  const lines: string[] = [];
  const executor = await open({ ...options, printCurl: (line) => lines.push(line) });
  const signal = new AbortController().signal;
  const task = taskOf(record);
  for (const number of [1, 2]) await executor.attempt(task, { number, signal, stage });
  return lines;
}

/** Returns the words into which a shell splits a command line. */
function words(line: string, env: Record<string, string> = {}): string[] {
  const script = line.replace(/^curl /, 'printf "%s\\0" ');
  return execFileSync('sh', ['-c', script], { env }).toString().split('\0').slice(0, -1);
}

describe('--print-curl', () => {
  test('prints a request once per task, quoted for the shell', async () => {
    const server = await serve((response) => response.end());
    const url = `${server.url}/a?q='x'&b={1}$HOME`;
    const lines = await linesOf({
      url,
      method: 'post',
      data: "it's $HOME\n`id`",
      headers: { 'X-A': '"; rm -rf' },
    });
    expect(lines).toHaveLength(1);
    const said = words(lines[0] as string);
    expect(said).toContain(`${server.url}/a?q=%27x%27&b={1}$HOME`);
    expect(said).toContain('X-A: "; rm -rf');
    expect(said[said.indexOf('--data-raw') + 1]).toBe("it's $HOME\n`id`");
    expect(said[said.indexOf('--request') + 1]).toBe('POST');
    expect(said).toContain('--globoff');
  });

  test('replaces secrets with variables, or with the name of the header file', async () => {
    const server = await serve((response) => response.end());
    const file = join(freshFolder(), 'headers.txt');
    writeFileSync(file, 'X-File: filesecret\n');
    const [line = ''] = await linesOf(
      {
        url: server.url.replace('//', '//jo:urlsecret@'),
        headers: { 'x-api-key': 'keysecret', 'X-Plain': 'seen' },
      },
      {
        header: ['Authorization: Bearer authsecret', `@${file}`, 'Cookie: cookiesecret', 'X-Any: anysecret'],
      },
    );
    expect(line).not.toMatch(/secret/);
    expect(line).toContain('-H "Authorization: $AUTHORIZATION"');
    expect(line).toContain('-H "x-api-key: $X_API_KEY"');
    expect(line).toContain('-H "Cookie: $COOKIE"');
    expect(line).toContain('-H "X-Any: $X_ANY"');
    expect(line).toContain(`-H @${file}`);
    expect(line).toContain("-H 'X-Plain: seen'");
    expect(words(line, { AUTHORIZATION: 'Bearer t' })).toContain('Authorization: Bearer t');
  });

  test('does not let a shell run the name of a header', async () => {
    const server = await serve((response) => response.end());
    const [line = ''] = await linesOf({ url: server.url, headers: { '$token`id`': 'x' } });
    expect(words(line)).toContain('$token`id`: ');
  });

  test('prints every one of 200,000 headers', async () => {
    const executor = await open({ printCurl: () => {} });
    const many = { url: 'https://h/x', headers: { 'X-A': new Array(200_000).fill('b') } };
    expect(executor.describe(taskOf(many)).split("'X-A: b'")).toHaveLength(200_001);
  });

  test('describes a task as a curl command, and without the option as method and url', async () => {
    const executor = await open({ printCurl: () => {} });
    expect(executor.describe(taskOf({ url: 'https://h/x' }))).toMatch(/^curl .*https:\/\/h\/x/);
    const plain = await open();
    expect(plain.describe(taskOf({ url: 'https://jo:pw@h/x', method: 'put' }))).toBe('PUT https://h/x');
    expect(plain.describe(taskOf({ url: 'nonsense' }))).toContain('nonsense');
  });

  test('prints the way to the server, with variables for the login of a proxy and for a list', async () => {
    const way = {
      connectTo: ['a.example:443:127.0.0.1:8443'],
      resolve: ['*:80:127.0.0.1,[::1]'],
      interface: '127.0.0.1',
      http2: true,
    };
    const lineBy = async (proxy: string): Promise<string> =>
      (await open({ ...way, proxy, printCurl: () => {} })).describe(taskOf({ url: 'https://h/x' }));
    const line = await lineBy('socks5h://me:hush@proxy.example');
    expect(line).not.toContain('hush');
    expect(words(line, { PROXY_USER: 'me:pw' }).join(' ')).toContain(
      '--proxy socks5h://proxy.example:1080 --proxy-user me:pw --connect-to a.example:443:127.0.0.1:8443 ' +
        '--resolve *:80:127.0.0.1,[::1] --interface 127.0.0.1 --http2',
    );
    const file = join(freshFolder(), 'proxies.txt');
    writeFileSync(file, 'http://me:hush@p1\nhttp://p2\n', { mode: 0o600 });
    expect(await lineBy(`@${file}`)).toContain('--proxy "$PROXY" --connect-to');
  });

  test('prints nothing for a task that cannot be sent', async () => {
    const lines: string[] = [];
    await attempt(await open({ printCurl: (line) => lines.push(line) }), { url: 'nonsense' });
    expect(lines).toEqual([]);
  });
});

/** Requests that curl must send as task-exec does. */
const SAME: readonly (readonly [title: string, record: object, headers: readonly string[]])[] = [
  [
    'a content type of the record',
    { method: 'post', data: 'a', headers: { 'content-type': 'text/plain' } },
    [],
  ],
  ['a body with CR, and other control characters', { method: 'put', data: "a\r\nb\u0007'\\\\c" }, []],
  ['a body with invisible characters', { method: 'post', data: 'a\u202eb\u200bü' }, []],
  ['an empty header', { headers: { 'X-Empty': '' } }, []],
  ['a header that overrides one of --header', { headers: { 'X-A': 'mine' } }, ['X-A: typed']],
  ['a body as JSON', { method: 'json', json: { a: [1, "it's"] } }, []],
  ['HEAD', { method: 'head' }, []],
];

test.each(SAME)('a printed curl command sends the same: %s', async (_, more, header) => {
  const server = await serve((response) => response.end());
  const lines: string[] = [];
  const print = (line: string): void => void lines.push(escapeControls(line)); // as on a terminal
  const executor = await open({
    printCurl: print,
    userAgent: 'me',
    header,
  });
  await attempt(executor, { url: `${server.url}/x`, ...more });
  await promisify(execFile)('bash', ['-c', lines[0] as string]);
  const [ours, curls] = server.seen.map(({ method, url, headers, body }) => {
    const { connection: _, 'accept-encoding': __, ...rest } = headers;
    return { method, url, headers: rest, body };
  });
  expect(curls).toEqual(ours);
});
