import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
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

  test('prints nothing for a task that cannot be sent', async () => {
    const lines: string[] = [];
    await attempt(await open({ printCurl: (line) => lines.push(line) }), { url: 'nonsense' });
    expect(lines).toEqual([]);
  });
});
