/* Secrets never appear on the screen: not in usage errors, in dry runs, or in reports of bad input. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshFolder, sh } from '../../support/run.ts';

const record = (more: object): string => `${JSON.stringify({ uuid: 'a', ...more })}\n`;
const secretHeaders = { Authorization: 'Bearer hush', Cookie: 'a=hush', 'X-Api-Key': 'hush' };

test.each([
  ['an invalid url', '', record({ url: 'https://jo:hu/sh-hush@h:99999/' })],
  ['a url without a scheme', '', record({ url: 'hush:x@h/path' })],
  ['a url of another scheme', '', record({ url: 'ftp://jo:hush@h/' })],
  ['headers that are not JSON', '', record({ url: 'http://h/', headers: '{"Cookie": hush}' })],
  ['a record that is not JSON', '', '{"uuid":"a","headers":{"Cookie": hush}}\n'],
  ['a record with several secrets', '', record({ url: 'https://jo:hush@h/', headers: secretHeaders })],
  ['--header', "--header 'X-Any: hush'", record({ url: 'https://h/' })],
])('a dry run of %s shows no secrets', async (_, options, input) => {
  for (const more of ['', '--print-curl']) {
    const { stderr } = await sh(`task-exec --http --dry-run ${options} ${more}`, { input });
    expect(stderr).not.toBe('');
    expect(stderr).not.toContain('hush');
  }
});

test.each([
  ["--url 'https://jo:hush@h/{id'", {}],
  ["--proxy 'socks4://jo:hush@h'", {}],
  ["--proxy 'jo:hush@h:70000'", {}],
  ['', { https_proxy: 'ftp://jo:hush@h' }],
  ['', { TASK_URL: 'https://hush@h/{' }],
  ["--header 'Bearer hush'", {}],
  ["--header 'X Key: hush'", {}],
  ["--header 'Key hush: x'", {}],
  ["--header 'X-Key: hu\u0007sh-hush'", {}],
  ['--header X-Key: hush', {}],
  ['http://jo:hush@h/x', {}],
  ['a.ndjson?access_token=hush', {}],
  ['--header @headers.txt', {}],
  ['--config config.json', {}],
])('a usage error shows no secrets: %s %j', async (options, env) => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'headers.txt'), 'hush without a colon\n');
  writeFileSync(join(cwd, 'config.json'), '{"header": ["Cookie: x"], "proxy": hush}');
  const { code, stderr } = await sh(`task-exec --http ${options}`, { cwd, env });
  expect(code).toBe(2);
  expect(stderr).not.toContain('hush');
});
