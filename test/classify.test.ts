/* examples/classify.sh works as it says. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { linesOf } from './pipes/pipeline.ts';
import { serve } from './support/http-server.ts';
import { ended, freshFolder, root, sh, start } from './support/run.ts';
import { until } from './support/until.ts';

const ROWS = 10_000;
const PRICE = 0.0000006;
const BATCH = 20;

/**
 * Starts a chat service that refuses one request in 20, and sums up the tokens that it sells. One text confuses it: it
 * then answers with prose. For an odd one it has another word.
 */
async function chatService() {
  const seen = { sold: 0, answers: 0, calls: 0, most: 0 };
  const { url } = await serve((response, { body }) => {
    response.setHeader('content-type', 'application/json');
    if (++seen.calls % 20 === 0) {
      response.writeHead(429, { 'retry-after': '0' }).end('{"error":{"message":"slow down"}}');
      return;
    }
    const { messages } = JSON.parse(String(body)) as { messages: { content: string }[] };
    const text = messages[1]?.content ?? '[]';
    const texts = JSON.parse(text) as string[];
    const tokens = 20 + Math.ceil(text.length / 4) + 2 * texts.length;
    seen.sold += tokens;
    seen.answers++;
    seen.most = Math.max(seen.most, texts.length);
    const words = texts.map((one) => (one.includes('odd') ? 'perhaps' : 'good'));
    const content = text.includes('confusing') ? 'Sorry, what do you mean?' : JSON.stringify(words);
    const choices = [{ message: { role: 'assistant', content } }];
    response.end(JSON.stringify({ choices, usage: { total_tokens: tokens } }));
  });
  return { url, seen };
}

/** Returns the spending in the file of a budget: the latest claim of each process. */
function spentIn(cwd: string): number {
  const claims = new Map<string, number>();
  for (const line of readFileSync(join(cwd, 'out.csv.spent'), 'utf8').split('\n'))
    if (line.startsWith('{"by"') && line.endsWith('}'))
      claims.set(JSON.parse(line).by, JSON.parse(line).amounts.usd);
  return [...claims.values()].reduce((sum, one) => sum + one, 0);
}

test('classify.sh keeps to its budget, continues after a kill and with more money, and checks answers', async () => {
  const cwd = freshFolder();
  const { url, seen } = await chatService();
  const text = (i: number): string => `row ${i} ${i === 4567 ? 'confusing' : i === 7 ? 'odd' : 'fine'}`;
  writeFileSync(
    join(cwd, 'rows.csv'),
    `text\n${Array.from({ length: ROWS }, (_, i) => text(i)).join('\n')}\n`,
  );
  const command = `exec ${join(root, 'examples/classify.sh')} rows.csv out.csv`;
  const env = (usd: number): Record<string, string> => ({
    API: url,
    USD: String(usd),
    TASK_FLUSH: '5',
    TOKENS: '200000/s',
  });
  const killed = start(`exec setsid ${command.replace('exec ', '')}`, { cwd, env: env(1) });
  await until(() => seen.answers > 100);
  process.kill(-(killed.pid as number), 'SIGKILL'); // setsid made it the leader of a group
  await ended(killed);
  expect(spentIn(cwd)).toBeGreaterThanOrEqual(seen.sold * PRICE);
  const enough = spentIn(cwd) + 100 * BATCH * 20 * PRICE;
  const poor = await sh(command, { cwd, env: env(enough) });
  expect(poor.code).toBe(1);
  expect(poor.stderr).toMatch(/usd: .* the budget is used up .* tasks left, about [\d.e-]+ to finish/);
  expect(spentIn(cwd)).toBeGreaterThanOrEqual(seen.sold * PRICE);
  expect(spentIn(cwd)).toBeLessThanOrEqual(enough);
  const rich = await sh(command, { cwd, env: env(1) });
  expect(rich.stderr).toContain('ANSWER');
  expect(linesOf(cwd, 'out.csv')).toHaveLength(1 + ROWS - 2);
  expect(spentIn(cwd)).toBeGreaterThanOrEqual(seen.sold * PRICE);
  expect(seen.most).toBe(BATCH);
  expect(seen.answers).toBeLessThan((ROWS / BATCH) * 2);
}, 120_000);
