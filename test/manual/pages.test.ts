/* Every page of the manual is run as it stands, and follows the rules for how we write. */
import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { blocksOf, pageRunner, pages } from '../support/pages.ts';
import { sh } from '../support/run.ts';
import { serve } from '../support/serve.ts';

const address = await serve();
const runner = await pageRunner(address);
const withExamples = pages().filter((page) => blocksOf(page).some(({ kind }) => kind === 'sh'));
const linesOf = (name: string): number =>
  readFileSync(join(runner.cwd, name), 'utf8').trim().split('\n').length;

test.for(withExamples.filter((page) => page !== 'docs/recipes.md'))(
  '%s runs as it stands',
  { timeout: 300_000 },
  async (page) => {
    await runs(page);
  },
);

test('docs/recipes.md runs as it stands, and its recipes give complete outputs', {
  timeout: 300_000,
}, async () => {
  expect(await runs('docs/recipes.md')).toBeGreaterThan(15);
  const { cwd, env, missing } = runner;
  if (!missing.includes('make')) {
    expect(linesOf('all.csv')).toBe(13);
    appendFileSync(join(cwd, 'a.csv'), `13,http://${address}/item/13,NY\n`);
    expect((await sh('make -j4', { cwd, env })).stderr).toMatch(/saved 1\n[\s\S]*saved 13\n/);
    expect(linesOf('all.csv')).toBe(14);
  }
  if (!missing.includes('flock')) expect([linesOf('nightly.csv'), linesOf('nightly.log')]).toEqual([13, 1]);
  expect(['servers.csv', 'remote.csv', 'pieces.csv', 'site.csv', 'items.ndjson'].map(linesOf)).toEqual([
    13, 13, 13, 10, 15,
  ]);
});

/** Runs a page. Each block must end with 0, and complain about nothing. Returns the number of blocks. */
async function runs(page: string): Promise<number> {
  const ran = await runner.run(page);
  for (const { block, code, stdout, stderr } of ran) {
    expect([block, code, stdout, stderr]).toEqual([block, 0, stdout, stderr]);
    expect([block, stderr]).not.toEqual([
      block,
      expect.stringMatching(/not found|did you mean|unknown option|must be|a defect|No such/),
    ]);
  }
  return ran.length;
}
