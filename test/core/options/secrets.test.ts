import { expect, test } from 'vitest';
import { command as execCommand } from '../../../src/commands/exec/index.ts';
import { typedLine } from '../../../src/core/options/secrets.ts';

const shown = (...argv: string[]): string => typedLine('task-exec', argv, execCommand.options);

test('a command line is shown as typed, quoted for a shell', () => {
  expect(shown('--http', '-j', '50', '--url', 'https://h/{id}?a={b}', "--expect-body=/it's/")).toBe(
    `task-exec --http -j 50 --url 'https://h/{id}?a={b}' '--expect-body=/it'"'"'s/'`,
  );
  expect(shown('--command', 'sort -u {file} --key {key} -o out/{uuid}')).toBe(
    "task-exec --command 'sort -u {file} --key {key} -o out/{uuid}'",
  );
});

test.each([
  [['--header', 'Authorization: hush'], "--header 'Authorization: …'"],
  [['--header=X-Any:hush'], "'--header=X-Any:…'"],
  [['--header', 'hush'], "--header '…'"],
  [['--header', '@token.txt'], '--header @token.txt'],
  [['--env', 'A=hush'], "--env 'A=…'"],
  [['--env=A=hush=hush', '--env', 'HOME'], "'--env=A=…' --env HOME"],
  [['--proxy', 'http://me:hush@proxy:3128'], "--proxy 'http://…@proxy:3128'"],
  [['--proxy', 'http://me:hu@sh@proxy:3128'], "--proxy 'http://…@proxy:3128'"],
  [['--url=https://me:hush@h/{id}?page=2&api_key=hush&x=1'], "'--url=https://…@h/{id}?page=2&api_key=…&x=1'"],
  [['--command', 'curl -u me:hush {url}'], "--command 'curl -u … {url}'"],
  [
    ['--command', 'curl -H "Authorization: Bearer hush" {url}'],
    `--command 'curl -H "Authorization: …" {url}'`,
  ],
  [['--command', 'tool --password hush --token=hush {id}'], "--command 'tool --password … --token=… {id}'"],
  [['--worker', 'env DB_PASSWORD=hush python3 w.py'], "--worker 'env DB_PASSWORD=… python3 w.py'"],
])('secrets are hidden: %j', (argv, words) => {
  const line = shown(...argv);
  expect(line).toBe(`task-exec ${words}`);
  expect(line).not.toContain('hush');
});
