import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll } from 'vitest';
import { root } from './run.ts';

/** Starts the local web server of the examples for the tests of a file. Returns its host and port. */
export async function serve(): Promise<string> {
  const server = spawn(process.execPath, [join(root, 'scripts/serve.mjs'), '--port', '0'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  afterAll(() => void server.kill());
  const [url] = await once(createInterface({ input: server.stdout }), 'line');
  return new URL(String(url)).host;
}
