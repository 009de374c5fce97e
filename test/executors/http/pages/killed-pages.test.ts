import { expect, test } from 'vitest';
import { counter, linesOf, runPipeline, startPipeline } from '../../../pipes/pipeline.ts';
import { serve } from '../../../support/http-server.ts';
import { freshFolder } from '../../../support/run.ts';

const PAGES = 500;

test('500 pages of an API give each item once, though task-exec is killed three times', async () => {
  const asked = counter();
  const server = await serve((response, { url }) => {
    asked.add();
    const page = Number(/page=(\d+)/.exec(url)?.[1] ?? 1);
    const next = page < PAGES ? `/items?page=${page + 1}` : null;
    response
      .setHeader('content-type', 'application/json')
      .end(JSON.stringify({ item: `item${page}.`, next }));
  });
  const cwd = freshFolder();
  const pipeline =
    `echo ${server.url}/items | task-load --field url --ledger done | ` +
    'task-exec --http --next json.next --spool spool --ledger done | ' +
    'task-save items.csv --ledger done --flush 20';
  let reached = 0;
  for (let kills = 0; kills < 3; kills++) {
    const running = startPipeline(pipeline, { cwd });
    running.child.stdin?.end();
    reached = asked.count + 100;
    await asked.reached(reached);
    process.kill(running.pid('task-exec'), 'SIGKILL');
    await running.end;
  }
  expect(linesOf(cwd, 'items.csv').length).toBeLessThan(PAGES);
  const { codes } = await runPipeline(pipeline, { cwd });
  expect(codes).toBe('0 0 0 0');
  const items = linesOf(cwd, 'items.csv')
    .slice(1)
    .map((row) => Number(/item(\d+)\./.exec(row)?.[1]));
  expect(items.sort((a, b) => a - b)).toEqual(Array.from({ length: PAGES }, (_, i) => i + 1));
});
