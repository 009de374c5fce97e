// `node scripts/bench/serve.mjs [--seconds N] [--clients N]`: measures in turn the submissions per second,
// and their latency, of task-serve and of a bare Fastify route. That route writes each body to the same kind
// of store, with a transaction for each. Prints the rows of a table. Compare ratios: machines differ, and are
// shared.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Agent, request } from 'undici';
import { ready, root } from '../ready.mjs';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '10' },
    clients: { type: 'string', default: '100' },
    bare: { type: 'string' },
  },
});
const clients = Number(values.clients);

/** Serves the peer: the shortest code that does the same. */
async function serveBare(port) {
  const [{ default: fastify }, { default: Database }] = await Promise.all([
    import('fastify'),
    import('libsql/promise'),
  ]);
  const { randomUUID } = await import('node:crypto');
  const database = new Database(join(process.cwd(), 'bare.db'));
  await database.exec(
    'pragma journal_mode = wal; pragma synchronous = full; create table tasks (uuid text primary key, data text)',
  );
  const insert = await database.prepare('insert into tasks values (?, ?)');
  const app = fastify();
  app.post('/api', async (request) => {
    const task_id = randomUUID();
    insert.run([task_id, JSON.stringify(request.body.data)]);
    return { task_id };
  });
  await app.listen({ port });
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

/**
 * Runs a server and submits tasks to it. Returns the rate per second, and the median and 99th percentile of
 * the latency in ms.
 */
async function measure(command, port) {
  const cwd = mkdtempSync(join(tmpdir(), 'taskpipe-bench-'));
  // Its own process group, so that its workers end with it.
  const server = spawn(process.execPath, command, {
    ...{ cwd, detached: true },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const agent = new Agent({ connections: clients });
  const url = `http://127.0.0.1:${port}/api`;
  const body = JSON.stringify({ data: { n: 1, url: 'http://127.0.0.1:8080/item/1', state: 'CA' } });
  const submit = async () => {
    const answer = await request(url, {
      ...{ dispatcher: agent, method: 'POST', body },
      headers: { 'content-type': 'application/json' },
    });
    await answer.body.dump();
    if (answer.statusCode !== 200) throw new Error(`answered ${answer.statusCode}`);
  };
  for (;;) {
    try {
      await submit();
      break;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  const times = [];
  const end = performance.now() + Number(values.seconds) * 1000;
  const client = async () => {
    while (performance.now() < end) {
      const began = performance.now();
      await submit();
      times.push(performance.now() - began);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  await agent.close();
  const exit = once(server, 'exit');
  process.kill(-server.pid, 'SIGKILL');
  await exit;
  rmSync(cwd, { recursive: true, force: true });
  times.sort((a, b) => a - b);
  const at = (part) => times[Math.floor(times.length * part)].toFixed(0);
  return { rate: times.length / Number(values.seconds), median: at(0.5), p99: at(0.99) };
}

if (values.bare !== undefined) await serveBare(Number(values.bare));
else {
  ready();
  const port = await freePort();
  const words = ['/api', '--port', String(port), '--quiet', '--backlog', '10000000'];
  const ours = [join(root, 'bin/task-serve'), ...words, '--exec', 'sleep 60'];
  const bare = [fileURLToPath(import.meta.url), '--bare', String(port)];
  const rows = { 'task-serve': [], 'a bare Fastify route, the same store': [] };
  for (let run = 0; run < 3; run++) {
    rows['task-serve'].push(await measure(ours, port));
    rows['a bare Fastify route, the same store'].push(await measure(bare, port));
  }
  process.stdout.write('| service | submissions | median | p99 |\n| --- | ---: | ---: | ---: |\n');
  for (const [name, runs] of Object.entries(rows)) {
    const [, { rate, median, p99 }] = runs.sort((a, b) => a.rate - b.rate);
    process.stdout.write(
      `| ${name} | ${Math.round(rate).toLocaleString('en')}/s | ${median} ms | ${p99} ms |\n`,
    );
  }
}
