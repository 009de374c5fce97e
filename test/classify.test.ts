/* examples/classify.sh works as it says. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { linesOf } from './pipes/pipeline.ts';
import { serve } from './support/http-server.ts';
import { ended, freshFolder, root, sh, start } from './support/run.ts';
import { until } from './support/until.ts';

const ROWS = 150;
const PRICE = 0.0000006;

/** Starts a chat service that refuses one request in 20, and sums up the tokens that it sells. */
async function chatService(): Promise<{ url: string; sold: () => number; answers: () => number }> {
  let sold = 0;
  let answers = 0;
  let calls = 0;
  const { url } = await serve((response, { body }) => {
    response.setHeader('content-type', 'application/json');
    if (++calls % 20 === 0) {
      response.writeHead(429, { 'retry-after': '0' }).end('{"error":{"message":"slow down"}}');
      return;
    }
    const { messages } = JSON.parse(String(body)) as { messages: { content: string }[] };
    const tokens = 20 + Math.ceil((messages[1]?.content.length ?? 0) / 4);
    sold += tokens;
    answers++;
    const content = messages[1]?.content.includes('odd') ? 'perhaps' : 'good';
    const choices = [{ message: { role: 'assistant', content } }];
    response.end(JSON.stringify({ choices, usage: { total_tokens: tokens } }));
  });
  return { url, sold: () => sold, answers: () => answers };
}

test('classify.sh keeps to its budget, continues after a kill and with more money, and checks answers', async () => {
  const cwd = freshFolder();
  const service = await chatService();
  const texts = Array.from({ length: ROWS }, (_, i) =>
    `row "${i}" ${i === 7 ? 'odd' : 'fine'}`.replaceAll('"', ''),
  );
  writeFileSync(join(cwd, 'rows.csv'), `text\n${texts.join('\n')}\n`);
  const command = `exec ${join(root, 'examples/classify.sh')} rows.csv out.csv`;
  const env = (usd: number): Record<string, string> => ({
    API: service.url,
    USD: String(usd),
    TASK_FLUSH: '5',
    TOKENS: '1500/s',
  });
  const killed = start(`exec setsid ${command.replace('exec ', '')}`, { cwd, env: env(0.01) });
  await until(() => service.answers() > 20);
  process.kill(-(killed.pid as number), 'SIGKILL'); // setsid made it the leader of a group
  await ended(killed);
  const enough = service.sold() * PRICE + 40 * 40 * PRICE;
  const poor = await sh(command, { cwd, env: env(enough) });
  expect(poor.code).toBe(1);
  expect(poor.stderr).toMatch(/usd: .* the budget is used up .* tasks left, about [\d.e-]+ to finish/);
  expect(service.sold() * PRICE).toBeLessThanOrEqual(enough);
  const rich = await sh(command, { cwd, env: env(0.1) });
  expect(rich.stderr).toContain('EXPECT_JSON 1');
  expect(linesOf(cwd, 'out.csv')).toHaveLength(1 + ROWS - 1);
}, 120_000);
