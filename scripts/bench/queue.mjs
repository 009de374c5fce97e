// `node scripts/bench/queue.mjs [--rows N]`: measures the rates of task-queue on PostgreSQL and NATS with their default
// settings, and of task-queue, RQ and Celery (Debian's python3-rq, python3-celery) on one Redis with appendonly yes. Prints the rows of a table. Whole processes
// are timed. The peers get a tenth of the tasks. Peers that are not installed are skipped with a message.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { ready, root } from '../ready.mjs';
import { hasPostgres, startPostgres } from './postgres-server.mjs';

const { values } = parseArgs({ options: { rows: { type: 'string', default: '60000' } } });
const rows = Number(values.rows);
const few = Math.ceil(rows / 10);

ready();
const folder = mkdtempSync(join(tmpdir(), 'taskpipe-bench-'));
const tasks = join(folder, 'tasks.ndjson');
writeFileSync(
  tasks,
  Array.from({ length: rows }, (_, i) => {
    const uuid = `00000000-0000-4000-8000-${String(i).padStart(12, '0')}`;
    return `{"uuid":"${uuid}","url":"http://127.0.0.1:8080/item/${i}","state":"CA"}\n`;
  }).join(''),
);

/** Runs a shell command. Returns its duration in seconds. */
function time(command, env = {}) {
  const began = performance.now();
  const { status, stderr } = spawnSync('bash', ['-c', `set -o pipefail; ${command}`], {
    cwd: folder,
    env: { ...process.env, PATH: `${join(root, 'bin')}:${process.env.PATH}`, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  if (status !== 0) throw new Error(`${command} ended with ${status}: ${stderr}`);
  return (performance.now() - began) / 1000;
}

function row(what, count, seconds, asked = '') {
  const rate = Math.round(count / seconds).toLocaleString('en-US');
  process.stdout.write(
    `| ${what} | ${count.toLocaleString('en-US')} | ${seconds.toFixed(2)} s | ${rate}/s | ${asked} |\n`,
  );
}

/** Returns the Python that has a module; undefined if none has it. */
function pythonWith(module) {
  return ['python3', '/usr/bin/python3'].find(
    (python) => spawnSync(python, ['-c', `import ${module}`]).status === 0,
  );
}

function measurePeer(module, url) {
  const python = pythonWith(module);
  if (python === undefined) {
    process.stdout.write(`| ${module} | not installed: skipped |\n`);
    return;
  }
  const run = (verb) =>
    time(`${python} ${join(root, 'scripts/bench/queue_peers.py')} ${module} ${verb} ${url} ${few}`);
  row(`${module}: push`, few, run('push'));
  row(`${module}: one worker that does nothing`, few, run('work'));
}

/** Measures task-queue at a server. @param asked rates that the project aims for, of push, and of pull and ack */
function measureQueue(engine, url, [pushAsked, pullAsked]) {
  const at = `'${url}' --name bench --quiet`;
  row(`task-queue push, ${engine}`, rows, time(`task-queue push ${at} < ${tasks}`), pushAsked);
  const pull = `task-queue pull ${at} --until-empty --window 10000`;
  row(
    `task-queue pull, ack: one process each, ${engine}`,
    rows,
    time(`${pull} | task-queue ack ${at}`),
    pullAsked,
  );
}

async function measurePostgres() {
  if (!hasPostgres()) {
    process.stdout.write('| PostgreSQL | not installed: skipped |\n');
    return;
  }
  const place = mkdtempSync(join(tmpdir(), 'taskpipe-bench-'));
  const { server, url } = await startPostgres(place);
  try {
    measureQueue('PostgreSQL', url, ['3,000/s', '3,000/s']);
  } finally {
    const gone = once(server, 'exit');
    server.kill('SIGINT');
    await gone;
    rmSync(place, { recursive: true, force: true });
  }
}

async function measureNats(port) {
  const args = ['-js', '-a', '127.0.0.1', '-p', String(port), '-sd', join(folder, 'nats')];
  const nats = spawn('nats-server', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  try {
    await once(nats, 'spawn');
    for await (const line of createInterface({ input: nats.stderr })) if (/Server is ready/.test(line)) break;
    measureQueue('NATS', `nats://127.0.0.1:${port}`, ['10,000/s', '10,000/s']);
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    process.stdout.write('| NATS | not installed: skipped |\n');
  } finally {
    nats.kill();
  }
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  return port;
}

const port = await freePort();
const args = ['--port', String(port), '--appendonly', 'yes', '--save', '', '--dir', folder];
const redis = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'inherit'] });
try {
  for await (const line of createInterface({ input: redis.stdout }))
    if (/eady to accept connections/.test(line)) break;
  const url = `redis://127.0.0.1:${port}/0`;
  process.stdout.write('| work | tasks | time | rate | asked |\n| --- | --- | --- | --- | --- |\n');
  measureQueue('Redis', url, ['5,000/s', '3,000/s']);
  await measurePostgres();
  await measureNats(await freePort());
  for (const module of ['rq', 'celery']) measurePeer(module, url.replace(/0$/, '1'));
} finally {
  redis.kill();
  rmSync(folder, { recursive: true, force: true });
}
