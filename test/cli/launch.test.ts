/* Messages of commands that cannot start. */
import { cpSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freshFolder, root, sh } from '../support/run.ts';

/** Copies only the named parts of the package. */
function clone(...parts: readonly string[]): string {
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'bin'));
  for (const part of ['bin', 'package.json', ...parts])
    cpSync(join(root, part), join(cwd, part), { recursive: true });
  return cwd;
}

test('an unbuilt clone prints how to build it', async () => {
  const cwd = clone();
  const { code, stderr } = await sh('bin/task-load a.csv', { cwd });
  expect(stderr).toBe(`task-load: can't start: it is not built yet: run npm install in ${cwd}/\n`);
  expect(code).toBe(70);
});

test('a package without its dependencies prints a one-line error', async () => {
  const { code, stderr } = await sh('bin/task-load a.csv', { cwd: clone('dist') });
  expect(stderr).toMatch(/^task-load: a part of the package is missing, run npm install: .*'[a-z-]+'.*\n$/);
  expect(code).toBe(70);
});

test('a command on an old Node names the required version', async () => {
  const old =
    'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "20.18.3" } })';
  const { code, stderr } = await sh(
    `node --import 'data:text/javascript,${encodeURIComponent(old)}' '${join(root, 'bin/task-load')}' a.csv`,
  );
  expect(stderr).toBe("task-load: can't start: it needs Node.js 20.19 or newer; this is 20.18.3\n");
  expect(code).toBe(70);
});

test('the local server reports a port in use', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const { code, stderr } = await sh(`node '${join(root, 'scripts/serve.mjs')}' --port ${port}`);
  server.close();
  expect(stderr).toBe(`serve: port ${port} is taken; --port 0 takes a free one\n`);
  expect(code).toBe(74);
});
