// `npm run demo`: the real pipeline on an example, against a local web server that it starts and stops.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { ready, root } from './ready.mjs';

ready();
const folder = mkdtempSync(join(tmpdir(), 'taskpipe-demo-'));
let server = await startServer('--fail-every', '7');
try {
  const rows = Array.from(
    { length: 20 },
    (_, i) => `${i + 1},${server.url}/item/${i + 1},${i % 3 ? 'NY' : 'CA'}`,
  );
  writeFileSync(join(folder, 'a.csv'), `id,url,state\n${rows.join('\n')}\n`);
  say('A list of 20 urls. The server behind them answers 500 for every seventh.');
  shell('head -3 a.csv');
  say('Load them, fetch them, save them; mark what is done in a ledger.');
  shell('export TASK_LEDGER=done.jsonl');
  shell(
    'task-load a.csv --uuid-fields url | task-exec --http --retries 1 --backoff 10ms..50ms | task-save out.csv --fields uuid,id,state,result.status,result.json.ok',
  );
  shell('head -4 out.csv');
  say('The failed tasks, with the reasons, are in a separate file.');
  shell('cut -c1-60 out.csv.rest.ndjson');
  say('The server is mended. What failed goes into the same pipeline again.');
  await stopServer(server);
  server = await startServer('--port', new URL(server.url).port);
  shell(
    'task-load out.csv.rest.ndjson | task-exec --http | task-save out.csv --fields uuid,id,state,result.status,result.json.ok',
  );
  shell('wc -l out.csv; task-done count done.jsonl');
  say('Run it again: the ledger shows that no task is left.');
  shell(
    'task-load a.csv --uuid-fields url | task-exec --http | task-save out.csv --fields uuid,id,state,result.status,result.json.ok',
  );
} finally {
  await stopServer(server);
  rmSync(folder, { recursive: true });
}

function say(words) {
  process.stdout.write(`\n# ${words}\n`);
}

/** Shows a command and runs it. */
function shell(command) {
  process.stdout.write(`$ ${command}\n`);
  const env = { ...process.env, PATH: `${root}bin:${process.env.PATH}`, TASK_LEDGER: 'done.jsonl' };
  try {
    execFileSync('sh', ['-c', command], { cwd: folder, env, stdio: ['ignore', 'inherit', 1] });
  } catch (error) {
    if (error.status === undefined) throw error;
    process.stdout.write(`(exit code ${error.status})\n`);
  }
}

async function startServer(...args) {
  const child = spawn(process.execPath, [join(root, 'scripts/serve.mjs'), '--port', '0', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [url] = await once(createInterface({ input: child.stdout }), 'line');
  return { child, url };
}

async function stopServer({ child }) {
  child.kill();
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
}
