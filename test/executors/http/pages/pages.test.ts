import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type HttpOptions, http } from '../../../../src/executors/http/index.ts';
import { exec } from '../../../../src/stages/exec/exec.ts';
import { parsed } from '../../../pipes/pipeline.ts';
import { type Seen, serve, type TestServer } from '../../../support/http-server.ts';
import { freshFolder, sh } from '../../../support/run.ts';
import { taskOf } from '../support.ts';

/** Serves pages from /items?page=1 on, each with the next one in "next" and in the header Link. */
function servePages(last: number, next = (page: number) => `?page=${page}`): Promise<TestServer> {
  return serve((response, { url }) => {
    const page = Number(/page=(\d+)/.exec(url)?.[1] ?? 1);
    const more = page < last ? next(page + 1) : null;
    response.setHeader('content-type', 'application/json');
    if (more !== null)
      response.setHeader('link', `</items?page=1>; rel="first prev", <${more}>; rel="next last"`);
    response.end(JSON.stringify({ items: [page * 2, page * 2 + 1], next: more }));
  });
}

/** Record of a page. */
interface PageRow {
  readonly uuid: string;
  readonly sku?: string;
  readonly paging?: { readonly page: number };
  readonly result: { readonly status: number; readonly file?: string; readonly json: { items: number[] } };
  readonly run: { readonly state: string; readonly error?: object };
}

interface Ran {
  readonly rows: PageRow[];
  readonly messages: readonly string[];
}

/** Runs one task with its further pages. */
async function run(task: object, options: HttpOptions): Promise<Ran> {
  const messages: string[] = [];
  const executor = await http({ ...options, info: (message) => messages.push(message) });
  const rows: PageRow[] = [];
  async function* tasks() {
    yield [taskOf(task)];
  }
  for await (const batch of exec(executor, { retries: 0 })(tasks()))
    for (const { line } of batch) rows.push(JSON.parse(line));
  return { rows, messages };
}

const urlsOf = (server: TestServer): string[] => server.seen.map(({ url }) => url);

describe('--next', () => {
  test.each(['json.next', 'link'])('%s fetches each page as a separate task', async (expression) => {
    const server = await servePages(3);
    const { rows } = await run({ url: `${server.url}/items`, sku: '007' }, { next: expression });
    expect(urlsOf(server)).toEqual(['/items', '/items?page=2', '/items?page=3']);
    expect(rows.map(({ sku, result }) => [sku, result.json.items[0]])).toEqual([
      ['007', 2],
      ['007', 4],
      ['007', 6],
    ]);
    expect(rows.map(({ paging }) => paging?.page)).toEqual([1, 2, 3]);
    expect(new Set(rows.map(({ uuid }) => uuid)).size).toBe(3);
  });

  test('keeps the bytes of the other attributes, and drops an earlier result and params', async () => {
    const server = await servePages(2);
    const line = `{"uuid":"u1","big":12345678901234567890, "params":{"page":1},"url":"${server.url}/items","got":1,"run":{"state":"SUCCESS","as":"got"}}\n`;
    const { stdout } = await sh('task-exec --http --next json.next', { input: line });
    const [, second = ''] = stdout.split('\n');
    expect(second).toContain('"big":12345678901234567890');
    expect(second).not.toContain('"got"');
    expect(urlsOf(server)).toEqual(['/items?page=1', '/items?page=2']);
  });

  test('finds the next page in a result that is large', async () => {
    const server = await serve((response, { url }) =>
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify({ pad: 'x'.repeat(200_000), next: url === '/1' ? '/2' : null })),
    );
    const { rows } = await run({ url: `${server.url}/1` }, { next: 'json.next' });
    expect(rows.map(({ run: { state } }) => state)).toEqual(['SUCCESS', 'SUCCESS']);
  });

  test('makes a url from a cursor, and from a template for the first page alone', async () => {
    const server = await serve((response, { url }) =>
      response
        .setHeader('content-type', 'application/json')
        .end(JSON.stringify({ cursor: url.includes('cursor') ? null : 'a/b=' })),
    );
    await run(
      { id: 5 },
      { url: `${server.url}/lists/{id}`, next: "json.cursor && join('', ['?cursor=', json.cursor])" },
    );
    expect(urlsOf(server)).toEqual(['/lists/5', '/lists/5?cursor=a/b=']);
  });

  test('stops at --max-pages, with a message that names the next page', async () => {
    const server = await servePages(9);
    const { rows, messages } = await run({ url: `${server.url}/items` }, { next: 'link', maxPages: 4 });
    expect(rows).toHaveLength(4);
    expect(messages).toEqual([
      `4 pages of "u1" were fetched, and there are more, from "${server.url}/items?page=5" on (--max-pages): its pages end here`,
    ]);
  });

  test.each([
    ['the first page', (page: number) => (page > 3 ? '/items' : `?page=${page}`), 3],
    ['itself', () => '?page=2', 2],
    ['a page between', (page: number) => `?page=${page > 4 ? 2 : page}`, 4],
  ])('ends with a message if a page leads back to %s', async (_, next, count) => {
    const server = await servePages(99, next);
    const { rows, messages } = await run({ url: `${server.url}/items` }, { next: 'json.next' });
    expect(rows.map(({ run: { state } }) => state)).toEqual(Array(count).fill('SUCCESS'));
    expect(messages).toEqual([
      expect.stringMatching(/^page \d of "u1" leads back to "http:\S+": its pages end here$/),
    ]);
  });

  test.each([
    ['json.items', 'its value is a list, not the text of a url'],
    ['json.next.x.y || `7`', 'its value is a number, not the text of a url'],
    ["'mailto:me@example.com'", 'invalid url'],
    ['abs(json.next)', 'Invalid type: abs()'],
  ])('fails a task with NEXT, and keeps its result, if %s is not a url', async (expression, message) => {
    const server = await servePages(2);
    const { rows } = await run({ url: `${server.url}/items` }, { next: expression });
    expect(rows[0]?.run.error).toEqual({ code: 'NEXT', message: expect.stringContaining(message) });
    expect(rows[0]?.result.status).toBe(200);
    expect(rows).toHaveLength(1);
  });

  test('adds no page of a task that fails', async () => {
    const server = await serve((response) =>
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"next":"/2"}'),
    );
    expect((await run({ url: server.url }, { next: 'json.next' })).rows).toHaveLength(1);
  });

  test.each<HttpOptions>([{ next: 'json..[' }, { next: 'json.next', bodyDir: 'd' }])(
    'refuses %o',
    async (options) => {
      await expect(http(options)).rejects.toMatchObject({
        code: 'USAGE',
        message: expect.stringMatching(/^--next/),
      });
    },
  );

  test('is needed for --spool of --http', async () => {
    const { code, stderr } = await sh('task-exec --http --spool s');
    expect(stderr).toBe('task-exec: --spool has no effect on --http without --next\n');
    expect(code).toBe(2);
  });

  test('finds the next page of bodies in files by the header Link', async () => {
    const server = await servePages(3);
    const { rows } = await run(
      { url: `${server.url}/items` },
      { next: 'link', bodyDir: join(freshFolder(), 'd') },
    );
    expect(rows.map(({ result }) => typeof result.file)).toEqual(['string', 'string', 'string']);
  });

  test('reads the pages that an earlier run left in the spool', async () => {
    const server = await servePages(4);
    const cwd = freshFolder();
    const input = `{"uuid":"u1","url":"${server.url}/items"}\n`;
    const save = 'task-save o.ndjson --ledger l';
    await sh(`task-exec --http --next link --spool s --halt now,success=2 >/dev/null`, { cwd, input });
    const { code, stderr } = await sh(`task-exec --http --next link --spool s --ledger l | ${save}`, {
      cwd,
      input,
    });
    expect(code).toBe(0);
    expect(stderr).toContain('added on the way');
    const saved = parsed(readFileSync(join(cwd, 'o.ndjson'), 'utf8')) as unknown as PageRow[];
    const pages = saved.map(({ result }) => result.json.items[0]);
    expect(pages.sort()).toEqual([2, 4, 6, 8]);
  });
});

describe('credentials of pages', () => {
  const secrets = ({ headers }: Seen): unknown[] => [
    headers.authorization,
    headers.cookie,
    headers['x-token'],
    headers.accept,
  ];

  test('go to pages of the same origin, and to no other, even after a return to the first origin', async () => {
    let home = '';
    const other = await serve((response, { url }) =>
      response.setHeader('link', `<${url === '/o1' ? '/o2' : `${home}/back`}>; rel=next`).end(),
    );
    const server = await serve((response, { url }) => {
      if (url === '/1') response.setHeader('link', '</2>; rel=next');
      if (url === '/2') response.setHeader('link', `<${other.url}/o1>; rel=next`);
      response.end();
    });
    home = server.url;
    const headers = { 'X-Token': 't', Accept: 'text/x' };
    await run(
      { url: `${server.url.replace('://', '://me:pw@')}/1`, headers },
      { next: 'link', header: ['Cookie: a=1'], data: 'secret', method: 'post' },
    );
    const basic = `Basic ${Buffer.from('me:pw').toString('base64')}`;
    expect(server.seen.map((seen) => [seen.method, seen.url, seen.body, ...secrets(seen)])).toEqual([
      ['POST', '/1', 'secret', basic, 'a=1', 't', 'text/x'],
      ['POST', '/2', 'secret', basic, 'a=1', 't', 'text/x'],
      ['GET', '/back', '', undefined, undefined, undefined, 'text/x'],
    ]);
    expect(other.seen.map((seen) => [seen.method, seen.url, seen.body, ...secrets(seen)])).toEqual([
      ['GET', '/o1', '', undefined, undefined, undefined, 'text/x'],
      ['GET', '/o2', '', undefined, undefined, undefined, 'text/x'],
    ]);
  });

  test('of a template do not enter the records of pages', async () => {
    const server = await servePages(3);
    const { rows } = await run(
      { id: 1 },
      { url: `${server.url.replace('://', '://me:pw@')}/items?id={id}`, next: 'json.next' },
    );
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual(
      Array(3).fill(`Basic ${Buffer.from('me:pw').toString('base64')}`),
    );
    expect(JSON.stringify(rows)).not.toContain('pw@');
  });

  test('that a server puts into the url of a page are not sent', async () => {
    const server = await servePages(1);
    const port = server.port;
    const front = await serve((response) =>
      response.setHeader('link', `<http://u:p@127.0.0.1:${port}/x>; rel=next`).end(),
    );
    await run({ url: front.url }, { next: 'link', maxPages: 2 });
    expect(server.seen.map(({ headers }) => headers.authorization)).toEqual([undefined]);
  });
});
