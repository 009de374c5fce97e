// `npm run bench -- postgres [ROWS]`: task-save to PostgreSQL, beside psql's \copy of the same rows and our SQLite.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ready, root } from '../ready.mjs';
import { startPostgres } from './postgres-server.mjs';

const rows = Number(process.argv[2] ?? 200_000);
const RUNS = 3;

ready();
const folder = mkdtempSync(join(tmpdir(), 'taskpipe-bench-'));
const env = { ...process.env, PATH: `${root}bin:${process.env.PATH}` };

function seconds(command) {
  const began = performance.now();
  const { status } = spawnSync('bash', ['-c', command], {
    cwd: folder,
    env,
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  if (status !== 0) throw new Error(`${status} from: ${command}`);
  return (performance.now() - began) / 1000;
}

function median(before, command) {
  const times = Array.from({ length: RUNS }, () => {
    seconds(before);
    return seconds(command);
  });
  return times.sort((a, b) => a - b)[Math.floor(RUNS / 2)];
}

function writeTasks() {
  const run = '"run":{"state":"SUCCESS","as":"result","attempts":1,"at":"2024-01-01T00:00:00.000Z","ms":5}';
  const lines = Array.from(
    { length: rows },
    (_, i) =>
      `{"uuid":"${i.toString(16).padStart(8, '0')}-aaaa-4aaa-8aaa-aaaaaaaaaaaa","url":"https://example.com/item/${i}","name":"name of item ${i}","price":${(i % 1000) / 100},${run},"result":{"status":200,"body":"text of ${i}"}}\n`,
  );
  writeFileSync(join(folder, 'tasks.ndjson'), lines.join(''));
}

const { server, url } = await startPostgres(folder);
try {
  writeTasks();
  const psql = `psql -Xqd '${url}'`;
  const save = `task-save '${url}' --quiet < tasks.ndjson`;
  const ours = median(`${psql} -c 'drop table if exists tasks' 2> /dev/null`, save);
  const marked = median(
    `${psql} -c 'drop table if exists tasks, taskpipe_marks, taskpipe_saved, taskpipe_outputs' 2> /dev/null`,
    save.replace('--quiet', `--quiet --ledger '${url}?ledger=l'`),
  );
  seconds(
    `${psql} -c '\\copy tasks to rows.copy' && ${psql} -c 'create table copied (like tasks including all)'`,
  );
  const copy = median(`${psql} -c 'truncate copied'`, `${psql} -c '\\copy copied from rows.copy'`);
  const sqlite = median('rm -f t.db*', 'task-save t.db --quiet < tasks.ndjson');
  const line = (work, time, goal = '') =>
    `| ${work} | ${Math.round(rows / time).toLocaleString('en')}/s | ${(copy / time).toFixed(2)} | ${goal} |\n`;
  process.stdout.write('| work | rate | of \\copy | goal |\n| --- | ---: | ---: | ---: |\n');
  process.stdout.write(line("psql's \\copy of the same rows", copy));
  process.stdout.write(line('task-save to PostgreSQL', ours, '0.5'));
  process.stdout.write(line('the same with a ledger in that database', marked));
  process.stdout.write(line('task-save to SQLite', sqlite));
} finally {
  server.kill('SIGINT');
  rmSync(folder, { recursive: true, force: true });
}
