// A web server for the benchmarks: nginx on a free port of the loopback, as the current user, in its own
// folder.
import { spawn, spawnSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Body of every answer: 246 bytes. */
const BODY = `{"ok":true,"items":[1,2,3],"text":"${'x'.repeat(209)}"}`;

/** Returns a port that is free now. */
export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Starts the slow DNS server. @returns a function that stops it */
export async function startSlowDns(port) {
  const script = fileURLToPath(new URL('slow-dns.mjs', import.meta.url));
  const child = spawn(process.execPath, [script, String(port)], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  return async () => {
    const exit = once(child, 'exit');
    child.kill();
    await exit;
  };
}

/** Size of the file that each path below /large/ has: 100 MB. */
const LARGE = 100 * 2 ** 20;

/**
 * Starts nginx.
 * @param folder folder to make, for its files
 * @returns a function that stops it; undefined if nginx is not installed
 */
export async function startNginx(folder, port) {
  if (spawnSync('nginx', ['-v']).error !== undefined) return undefined;
  mkdirSync(folder);
  writeFileSync(join(folder, 'large.bin'), randomFillSync(Buffer.alloc(LARGE)));
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/errors;
events { worker_connections 1024; }
http {
  access_log off; default_type application/json;
  keepalive_requests 1000000000; keepalive_timeout 1h;
${temporary.map((name) => `  ${name}_temp_path ${folder}/${name};`).join('\n')}
  sendfile on;
  server {
    listen 127.0.0.1:${port};
    location / { return 200 '${BODY}'; }
    location /large/ { root ${folder}; try_files /large.bin =404; }
  }
}
`,
  );
  const child = spawn('nginx', ['-p', folder, '-c', file, '-e', `${folder}/errors`], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => undefined);
    if ((await answer?.text()) === BODY) break;
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}; see ${folder}/errors`);
  }
  return async () => {
    child.kill();
    await ended;
  };
}
