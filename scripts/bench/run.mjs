// `npm run bench [-- NAME...] [--rows N] [--runs N]`: measures our commands beside their peers, in turn (A B A B …), and
// prints medians of whole processes. Ratios are what to look at: machines differ, and are shared. A peer that is not
// installed is skipped with a word.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { ready, root } from '../ready.mjs';
import { writeLedger, writeRows } from './data.mjs';

const { values, positionals } = parseArgs({
  options: { rows: { type: 'string', default: '1000000' }, runs: { type: 'string', default: '5' } },
  allowPositionals: true,
});
const rows = Number(values.rows);
const runs = Number(values.runs);

ready();
const folder = mkdtempSync(join(tmpdir(), 'taskpipe-bench-'));
const path = (name) => join(folder, name);
const bin = (name) => join(root, 'bin', name);
const here = (name) => join(root, 'scripts/bench', name);
const env = { ...process.env, PATH: `${root}bin:${process.env.PATH}` };

/** The benchmarks: what is measured, ours against a peer, and the least ratio of speed that is asked for. */
const benchmarks = {
  version: {
    what: 'the start: --version, against node -e 0',
    ours: [process.execPath, bin('task-load'), '--version'],
    peer: [process.execPath, '-e', '0'],
    least: 1 / 1.5,
  },
  load: {
    what: 'CSV of four columns to tasks with --uuid-fields url, against Miller with md5',
    ours: [process.execPath, bin('task-load'), path('a.csv'), '--uuid-fields', 'url', '--quiet'],
    peer: ['mlr', '--icsv', '--ojsonl', 'put', '$uuid=md5($url)', path('a.csv')],
    least: 1 / 1.5,
  },
  exec: {
    what: 'tasks through an executor that does nothing, against jq -c .',
    ours: [process.execPath, here('noop.mjs')],
    peer: ['jq', '-c', '.'],
    input: path('a.ndjson'),
    least: 2,
  },
  save: {
    what: 'tasks to CSV, against mlr --ijsonl --ocsv cat',
    ours: [process.execPath, bin('task-save'), path('out.csv'), '--quiet', '--sync', 'none'],
    peer: ['mlr', '--ijsonl', '--ocsv', 'cat'],
    input: path('a.ndjson'),
    least: 2,
  },
  commit: {
    what: 'the same with a ledger and --sync batch, against without',
    ours: [process.execPath, bin('task-save'), path('out.csv'), '--quiet', '--ledger', path('l.jsonl')],
    peer: [process.execPath, bin('task-save'), path('out.csv'), '--quiet', '--sync', 'none'],
    input: path('a.ndjson'),
  },
  http: {
    what: 'GETs of 250 bytes at 50 at once, a tenth of the rows, against a bare loop over undici dispatch',
    ours: [process.execPath, bin('task-exec'), '--http', '-j', '50', '--quiet'],
    peer: [process.execPath, here('dispatch.mjs')],
    input: path('urls.ndjson'),
    server: true,
    least: 0.8,
  },
  command: {
    what: 'a /bin/true for each of a thousandth of the rows, two at once, against GNU parallel',
    ours: [process.execPath, bin('task-exec'), '--command', '/bin/true', '-j', '2', '--quiet'],
    peer: ['parallel', '-j2', '/bin/true'],
    input: path('few.ndjson'),
    least: 5,
  },
  xargs: {
    what: 'the same against xargs -P2, which keeps nothing of what they write',
    ours: [process.execPath, bin('task-exec'), '--command', '/bin/true', '-j', '2', '--quiet'],
    peer: ['xargs', '-d', '\\n', '-P2', '-n1', '/bin/true'],
    input: path('few.ndjson'),
  },
  worker: {
    what: 'tasks through one worker that echoes (cat), against jq -c --unbuffered .',
    ours: [process.execPath, bin('task-exec'), '--worker', 'cat', '-j', '1', '--quiet'],
    peer: ['jq', '-c', '--unbuffered', '.'],
    input: path('a.ndjson'),
  },
  ledger: {
    what: 'a ledger of ten times the rows, from start to the first answer, against JSON.parse into a Set',
    ours: [process.execPath, bin('task-done'), 'has', path('big.jsonl'), 'nobody'],
    peer: [process.execPath, here('parse.mjs'), path('big.jsonl')],
  },
};

const chosen = positionals.length > 0 ? positionals : Object.keys(benchmarks);
const unknown = chosen.find((name) => !Object.hasOwn(benchmarks, name));
if (unknown !== undefined)
  throw new Error(`no benchmark ${unknown}; there are ${Object.keys(benchmarks).join(', ')}`);

process.stdout.write(
  `node ${process.version}, ${cpus()[0]?.model ?? 'unknown'} x ${availableParallelism()}, ${rows} rows, median of ${runs}\n\n`,
);
process.stdout.write(
  '| work | ours | peer | speed, ours to peer | asked | memory |\n| --- | --- | --- | --- | --- | --- |\n',
);
try {
  for (const name of chosen) await measure(name, benchmarks[name]);
} finally {
  rmSync(folder, { recursive: true });
}

async function measure(name, { what, ours, peer, input, least, server }) {
  await prepare(name, input);
  if (spawnSync('sh', ['-c', `command -v "${peer[0]}"`]).status !== 0) {
    process.stdout.write(`| ${what} | ${peer[0]} is not installed: skipped |\n`);
    return;
  }
  const child = server ? await startServer() : undefined;
  const times = { ours: [], peer: [], ratio: [], memory: [] };
  for (let i = 0; i <= runs; i++) {
    const a = time(ours, input);
    const b = time(peer, input);
    if (i === 0) continue; // to warm up
    times.ours.push(a.seconds);
    times.peer.push(b.seconds);
    times.ratio.push(b.seconds / a.seconds);
    times.memory.push(a.megabytes);
  }
  child?.kill();
  const asked = least === undefined ? '' : `${least.toFixed(2)} x`;
  const cells = [
    `${median(times.ours).toFixed(2)} s`,
    `${median(times.peer).toFixed(2)} s`,
    `${median(times.ratio).toFixed(2)} x`,
  ];
  process.stdout.write(
    `| ${what} | ${cells.join(' | ')} | ${asked} | ${Math.max(...times.memory).toFixed(0)} MB |\n`,
  );
}

async function prepare(name, input) {
  if (name === 'ledger') writeLedger(path('big.jsonl'), rows * 10);
  if (name === 'load' || input !== undefined) make(path('a.csv'), () => writeRows(path('a.csv'), rows, 8099));
  if (input === path('a.ndjson')) make(input, () => tasks('a.csv', input));
  if (input === path('few.ndjson'))
    make(input, () => tasks('a.csv', input, '--limit', String(Math.ceil(rows / 1000))));
  if (input === path('urls.ndjson'))
    make(input, () => tasks('a.csv', input, '--limit', String(Math.ceil(rows / 10))));
}

function tasks(from, to, ...args) {
  const out = openSync(to, 'w');
  execFileSync(bin('task-load'), [path(from), '--uuid-fields', 'url', '--quiet', ...args], {
    stdio: ['ignore', out, 'inherit'],
  });
  closeSync(out);
}

function make(file, write) {
  if (!existsSync(file)) write();
}

/** Runs a command, its output thrown away. */
function time([program, ...args], input) {
  for (const name of ['out.csv', 'l.jsonl']) rmSync(path(name), { force: true });
  const stdin = input === undefined ? 'ignore' : openSync(input, 'r');
  const before = performance.now();
  const { status, stderr } = spawnSync(process.execPath, [here('child.mjs'), program, ...args], {
    env,
    stdio: [stdin, 'ignore', 'pipe'],
  });
  const total = performance.now() - before;
  if (typeof stdin === 'number') closeSync(stdin);
  const report = /^(\S+) (\S+)$/m.exec(String(stderr).trim().split('\n').at(-1) ?? '');
  if (report === null)
    throw new Error(`${program} ${args.join(' ')} ended with ${status} after ${total} ms: ${stderr}`);
  return { seconds: Number(report[1]) / 1000, megabytes: Number(report[2]) / 1024 };
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}

async function startServer() {
  const child = spawn(process.execPath, [join(root, 'scripts/serve.mjs'), '--port', '8099'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(createInterface({ input: child.stdout }), 'line');
  return child;
}
