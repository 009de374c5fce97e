import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { serveTokens } from '../executors/http/auth/token-server.ts';
import { freshFolder, sh } from '../support/run.ts';
import type { Program } from './support/program.ts';
import type { Breach, Report } from './support/report.ts';

/** Life of a token, in milliseconds, and the part of it after which taskpipe renews it. */
const LIFE = 2000;
const RENEWED = LIFE * 0.75;
/** Requests per second. */
const RATE = 20;

/**
 * Runs `task-exec --http --oauth2` for longer than its tokens live, without retries. Each task must succeed, no server
 * may see an ended token, and tokens must be fetched once for each life, not once for each task.
 * @param seconds length of the run
 */
export async function shortTokens(program: Program, seconds: number): Promise<Report> {
  const server = await serveTokens({ life: LIFE });
  const cwd = freshFolder();
  const client = { token_url: `${server.url}/token`, client_id: 'me', client_secret: 'hush' };
  writeFileSync(join(cwd, 'client.json'), JSON.stringify(client), { mode: 0o600 });
  const tasks = seconds * RATE;
  const input = Array.from({ length: tasks }, (_, i) => `{"uuid":"${i}","url":"${server.url}/${i}"}\n`);
  const command = `task-exec --http --oauth2 client.json --rate ${RATE}/s --retries 0 -j 4`;
  const began = performance.now();
  const { stdout, stderr, code } = await sh(command, { cwd, env: program.env, input: input.join('') });
  const ms = performance.now() - began;
  const breaches: Breach[] = [];
  const failed = tasks - (stdout.match(/"state":"SUCCESS"/g)?.length ?? 0);
  const rejected = server.statuses.filter((status) => status === 401).length;
  const [fewest, most] = [(seconds * 1000) / LIFE - 2, ms / RENEWED + 5];
  const fetched = server.asked.length;
  if (code !== 0) breaches.push({ kind: 'exit code', words: `${code}: ${stderr}` });
  if (failed > 0) breaches.push({ kind: 'other', words: `${failed} of ${tasks} tasks did not succeed` });
  if (fetched < fewest || fetched > most)
    breaches.push({ kind: 'other', words: `${fetched} tokens in ${Math.round(ms)} ms` });
  const figures = {
    requests: server.statuses.length,
    'tokens fetched': fetched,
    'ended tokens seen': rejected,
  };
  return { figures: { seconds: Math.floor(ms / 1000), ...figures, 'failed tasks': failed }, breaches };
}
