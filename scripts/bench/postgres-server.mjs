// A server of PostgreSQL for benchmarks: with its default settings, so that each commit waits for the disk.
import { execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePort } from './nginx.mjs';

const VERSIONS = '/usr/lib/postgresql';

/** Returns whether PostgreSQL is installed. */
export function hasPostgres() {
  return existsSync(VERSIONS);
}

/** Starts a server with its data in a folder. Returns the process and its url. */
export async function startPostgres(folder) {
  const [version] = readdirSync(VERSIONS).sort((a, b) => b - a);
  const bin = (name) => join(VERSIONS, version, 'bin', name);
  const isRoot = process.getuid?.() === 0;
  /** Returns a command as the user of the server, which refuses to run as root. */
  const asUser = (...words) =>
    isRoot ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--clear-groups', ...words] : words;
  const data = join(folder, 'data');
  mkdirSync(data);
  if (isRoot) {
    const id = (flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
    for (const path of [folder, data]) chownSync(path, id('-u'), id('-g'));
  }
  const [initdb, ...initWords] = asUser(bin('initdb'), '-D', data, '-U', 'postgres', '-A', 'trust');
  execFileSync(initdb, initWords, { stdio: 'pipe', cwd: folder });
  const port = await freePort();
  const settings = ['-D', data, '-p', String(port), '-k', folder, '-c', 'shared_buffers=256MB'];
  const [program, ...words] = asUser(bin('postgres'), ...settings);
  const server = spawn(program, words, { stdio: ['ignore', 'ignore', 'pipe'], cwd: folder });
  for await (const line of createInterface({ input: server.stderr }))
    if (line.includes('ready to accept')) break;
  server.stderr.resume();
  return { server, url: `postgres://postgres@127.0.0.1:${port}/postgres` };
}
