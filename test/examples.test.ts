/* The programs in examples/ work as they say. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  finishedOf,
  hasLines,
  linesOf,
  type PipelineOptions,
  startPipeline,
  uuidsOf,
  writeRows,
} from './pipes/pipeline.ts';
import { serve, type TestServer } from './support/http-server.ts';
import { type Ended, freshFolder, has, root, sh } from './support/run.ts';

/** Small batches, so that a kill falls between two of them. */
const env = { TASK_FLUSH: '5' };

const csv = 'url\nhttp://a.example/1\nhttp://bb.example/2\nno url\n';

for (const [example, needs, code] of [
  ['python3 {}/worker.py', 'python3', 'IndexError'],
  ['{}/worker.sh', 'jq', undefined],
] as const) {
  test(`${example} answers every task`, async (context) => {
    if (!(await has(needs))) context.skip(`${needs} is not installed`);
    const command = example.replace('{}', join(root, 'examples'));
    const { stdout, stderr } = await sh(
      `task-load --format csv --uuid-fields url | task-exec --worker '${command}' -j 2 --keep-order`,
      { input: csv },
    );
    const records = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records.map(({ result }) => result?.host)).toEqual(
      ['a.example', 'bb.example', code && undefined].map((host, i) =>
        i === 2 && code === undefined ? null : host,
      ),
    );
    expect(records[2].run.error?.code).toBe(code);
    expect(stderr).not.toMatch(/worker \d/);
  });
}

test('convert.sh converts each file once, also when it is killed and run again', async (context) => {
  if (!(await has('iconv'))) context.skip('iconv is not installed');
  const cwd = freshFolder();
  const names = ["it's", 'b"$HOME"', ...Array.from({ length: 150 }, (_, i) => `${i}`)];
  for (const folder of ['in put', 'in put/more']) mkdirSync(join(cwd, folder));
  for (const [i, name] of names.entries()) {
    const folder = i % 2 === 0 ? 'in put' : 'in put/more';
    writeFileSync(join(cwd, folder, `${name}.txt`), Buffer.from(`caf\xe9 ${name}`, 'latin1'));
  }
  const command = `${join(root, 'examples/convert.sh')} 'in put' out`;
  await killedAt(command, { cwd, env }, 'out/done.jsonl');
  expect(finishedOf(cwd, 'out/done.jsonl').length).toBeLessThan(names.length);
  expect(await sh(command, { cwd })).toMatchObject({ code: 0, stdout: '' });
  const texts = uuidsOf(cwd, 'out/files.csv').map((uuid) =>
    readFileSync(join(cwd, 'out', `${uuid}.txt`), 'utf8'),
  );
  expect(texts.sort()).toEqual(names.map((name) => `café ${name}`).sort());
  expect((await sh(command, { cwd })).stderr).toMatch(/task-exec: 0 done/);
});

test('fetch.sh writes one row per url, also when it is killed and run again', async () => {
  const cwd = freshFolder();
  const server = await holdingServer();
  writeRows(cwd, 'urls.csv', 300, (n) => `${server.url}/item/${n}`);
  const command = `${join(root, 'examples/fetch.sh')} urls.csv out.csv`;
  await killedAt(command, { cwd, env }, 'out.csv.done.jsonl');
  server.release();
  const { code, stderr } = await sh(command, { cwd });
  expect([code, stderr]).toEqual([
    0,
    expect.stringMatching(/ finished before\n.*: saved \d+(, \d+ already there)?\n$/s),
  ]);
  expect(new Set(uuidsOf(cwd, 'out.csv')).size).toBe(300);
  expect(linesOf(cwd, 'out.csv')).toHaveLength(301);
  expect(linesOf(cwd, 'out.csv')[1]).toMatch(/,http:.*,200,text\/plain,hello$/);
});

test('api.sh keeps two fields, and repeats only requests without a valid answer', async () => {
  const cwd = freshFolder();
  const { url, seen } = await serve((response, { url }) => {
    const body = url.endsWith('/gone')
      ? { message: 'Moved' }
      : { stargazers_count: 0, open_issues_count: 7, id: 1 };
    response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
  });
  writeFileSync(join(cwd, 'a.csv'), 'owner,name\nann,one\nb o/b,two\nann,gone\n');
  const run = (): Promise<Ended> =>
    sh(`${join(root, 'examples/api.sh')} a.csv out.csv`, { cwd, env: { API: url } });
  const { code, stderr } = await run();
  expect([code, stderr]).toEqual([1, expect.stringContaining('EXPECT_JSON 1')]);
  const [header, ...rows] = linesOf(cwd, 'out.csv').map((line) => line.slice(line.indexOf(',')));
  expect(header).toBe(',owner,name,result.json.stargazers_count,result.json.open_issues_count');
  expect(rows.sort()).toEqual([',ann,one,0,7', ',b o/b,two,0,7']);
  await run();
  expect(seen.map(({ url }) => url).sort()).toEqual(
    ['/repos/ann/gone', '/repos/ann/gone', '/repos/ann/one', '/repos/b%20o%2Fb/two'].sort(),
  );
});

test('the Makefile makes only complete targets, and repeats only the failed shard', async (context) => {
  if (!(await has('make'))) context.skip('make is not installed');
  const cwd = freshFolder();
  copyFileSync(join(root, 'examples/Makefile'), join(cwd, 'Makefile'));
  const server = await holdingServer();
  writeRows(cwd, 'urls.csv', 200, (n) => `${server.url}/item/${n}`);
  const make = (): Promise<Ended> => sh('make -j4 -k', { cwd, env: { TASK_RETRIES: '0' } });
  const made = (): string[] => readdirSync(cwd).filter((name) => /^shard.*done$|^pages/.test(name));

  await killedAt('make -j4 -k', { cwd, env }, 'done.jsonl');
  expect(made()).toEqual([]);
  server.release({ butFor: HELD });
  expect((await make()).code).toBe(2);
  expect(made()).toHaveLength(3);

  server.release();
  const before = server.seen.length;
  const { code, stdout } = await make();
  expect([code, stdout.match(/task-load/g), server.seen.length - before]).toEqual([0, ['task-load'], 1]);
  expect(new Set(uuidsOf(cwd, 'pages.csv')).size).toBe(200);
  expect(linesOf(cwd, 'pages.csv')).toHaveLength(201);
  expect((await make()).stdout).toMatch(/up to date|Nothing to be done/);
});

test('embed.mjs asks for 100 embeddings in a request, refuses one text, and continues after a kill', async () => {
  const cwd = freshFolder();
  let isHolding = true;
  const server = await serve((response, { body }) => {
    if (isHolding && server.seen.length > 4) return;
    const { input } = JSON.parse(body) as { input: string[] };
    const isBad = input.includes('text 777');
    response.statusCode = isBad ? 400 : 200;
    const data = input.map((text, index) => ({ index, embedding: [text.length, 0.5] })).reverse();
    response.end(JSON.stringify(isBad ? { error: 'a text is empty' } : { data }));
  });
  const rows = Array.from({ length: 1000 }, (_, n) => `text ${n}\n`).join('');
  writeFileSync(join(cwd, 'texts.csv'), `text\n${rows}`);
  const module = join(root, 'examples/embed.mjs');
  const command = `task-load texts.csv --uuid-fields text | task-exec --module ${module} --batch 100 -j 2 | task-save out.ndjson`;
  const options = {
    cwd,
    env: { ...env, TASK_LEDGER: 'done.jsonl', EMBED_URL: `${server.url}/v1/embeddings` },
  };
  await killedAt(command, options, 'done.jsonl');
  isHolding = false;
  const before = server.seen.length;
  const { stderr } = await sh(command, options);
  expect(stderr).toContain('1 failed (API 1)');
  expect(stderr).toContain('400 {"error":"a text is empty"}');
  expect(server.seen.length - before).toBeLessThan(10 + 14);
  const saved = linesOf(cwd, 'out.ndjson').map((line) => JSON.parse(line));
  expect(new Set(saved.map(({ text }) => text)).size).toBe(999);
  expect(saved).toHaveLength(999);
  expect(saved.every(({ text, result }) => result.embedding[0] === text.length)).toBe(true);
});

test('examples/README.md has a row for each example', () => {
  const rows = readFileSync(join(root, 'examples/README.md'), 'utf8');
  for (const name of readdirSync(join(root, 'examples'))) {
    if (name !== 'README.md') expect(rows).toContain(name.endsWith('.csv') ? `\`${name}\`` : `](${name})`);
  }
});

/** Starts a command, and kills all its processes when the ledger has 20 lines. */
async function killedAt(command: string, options: PipelineOptions, ledger: string): Promise<void> {
  const pipeline = startPipeline(command, options);
  await hasLines(options.cwd as string, ledger, 20);
  pipeline.signal('SIGKILL');
  await pipeline.end;
}

/** Path that a shard ahead of the others must not have finished already. */
const HELD = '/item/150';

/** Starts a server that answers 60 requests and holds the others until `release`; one path may then get 500. */
async function holdingServer(): Promise<TestServer & { release: (how?: { butFor: string }) => void }> {
  let isHolding = true;
  let failing: string | undefined;
  const server = await serve((response, { url }) => {
    if (isHolding && (server.seen.length > 60 || url === HELD)) return;
    response.statusCode = url === failing ? 500 : 200;
    response.setHeader('content-type', 'text/plain').end('hello');
  });
  return Object.assign(server, {
    release(how?: { butFor: string }) {
      isHolding = false;
      failing = how?.butFor;
    },
  });
}
