/* --next in practice: cursors, misspelt names, odd Link headers, names of files by page. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type HttpOptions, http } from '../../../../src/executors/http/index.ts';
import { exec } from '../../../../src/stages/exec/exec.ts';
import { serve, type TestServer } from '../../../support/http-server.ts';
import { freshFolder, sh } from '../../../support/run.ts';
import { taskOf } from '../support.ts';

interface Ran {
  readonly errors: readonly (string | undefined)[];
  readonly messages: readonly string[];
}

/** Runs one task with its pages. */
async function run(url: string, options: HttpOptions): Promise<Ran> {
  const messages: string[] = [];
  const executor = await http({ ...options, info: (message) => messages.push(message) });
  const errors: (string | undefined)[] = [];
  async function* tasks() {
    yield [taskOf({ url })];
  }
  for await (const batch of exec(executor, { retries: 0 })(tasks()))
    for (const { line } of batch) errors.push(JSON.parse(line).run.error?.message);
  return { errors, messages };
}

/** Serves one JSON value for a url without a query, and `{}` for any other. */
function serveJson(value: object, header: Record<string, string> = {}): Promise<TestServer> {
  return serve((response, { url }) => {
    const isFirst = url === '/';
    response.writeHead(200, { 'content-type': 'application/json', ...(isFirst && header) });
    response.end(JSON.stringify(isFirst ? value : {}));
  });
}

const urlsOf = (server: TestServer): string[] => server.seen.map(({ url }) => url);

describe('a cursor', () => {
  test.each([
    ['with signs', 'a+b&c=d/é', '', `/?cursor=${encodeURIComponent('a+b&c=d/é')}`],
    ['that is a number', 17, '', '/?cursor=17'],
    ['of a large result', 'a+b', 'x'.repeat(100_000), '/?cursor=a%2Bb'],
  ])('%s arrives as it is by uri_encode()', async (_, cursor, pad, url) => {
    const server = await serveJson({ cursor, pad });
    const next = "json.cursor && join('', ['?cursor=', uri_encode(json.cursor)])";
    expect((await run(server.url, { next })).errors).toEqual([undefined, undefined]);
    expect(urlsOf(server)).toEqual(['/', url]);
  });

  test.each(["join('', ['?cursor=', json.cursor])", 'json.cursor'])(
    'that is a number, in %s, fails with the name of the function to use',
    async (next) => {
      const { errors } = await run((await serveJson({ cursor: 17 })).url, { next });
      expect(errors[0]).toContain('uri_encode()');
      expect(errors[0]).toContain('to_string()');
    },
  );
});

test('uri_encode() is known to --expect-json', async () => {
  const server = await serveJson({ a: '/' });
  expect((await run(server.url, { expectJson: "uri_encode(a) == '%2F'" })).errors).toEqual([undefined]);
});

describe('an expression that finds no page in the whole run', () => {
  test.each([
    [
      'json.nxt',
      'no answer had "json.nxt" (--next), so that each task has one page; did you mean json.next?',
    ],
    ['json.nxt && json.next', 'no answer had a next page (--next json.nxt && json.next)'],
    ['link', 'no answer had a header Link with rel=next (--next link)'],
  ])('%s is named at the end', async (next, words) => {
    const { messages } = await run((await serveJson({ next: '?b' })).url, { next });
    expect(messages).toHaveLength(1);
    expect(messages[0]).toContain(words);
  });

  test.each([
    ['a name that is null', { next: null }],
    ['a page that had one', { next: '?b' }],
  ])('is not named because of %s', async (_, value) => {
    expect((await run((await serveJson(value)).url, { next: 'json.next' })).messages).toEqual([]);
  });
});

test('--max-pages without --next is an error of usage', async () => {
  const { code, stderr } = await sh('task-exec --http --max-pages 3');
  expect(stderr).toContain('--max-pages has no effect on --http without --next');
  expect(code).toBe(2);
});

test('{paging.page} names the file of the first page too, and is known to --data', async () => {
  const server = await serveJson({}, { link: '<?b>; rel=next' });
  const folder = freshFolder();
  const bodyDir = join(folder, '{paging.page}.json');
  const { errors } = await run(server.url, { next: 'link', bodyDir, data: 'page {paging.page}' });
  expect(errors).toEqual([undefined, undefined]);
  expect(['1.json', '2.json'].map((name) => existsSync(join(folder, name)))).toEqual([true, true]);
  expect(server.seen.map(({ body }) => body)).toEqual(['page 1', 'page 2']);
});

test('{paging.page} is 1 in the template of --url', async () => {
  const server = await serveJson({});
  expect((await run(server.url, { next: 'json.next', url: `${server.url}/{paging.page}` })).errors).toEqual([
    undefined,
  ]);
  expect(urlsOf(server)).toEqual(['/1']);
});

test.each([
  ', <?b>; rel=next',
  '<?a>; rel=prev, , <?b>; rel=next,',
  "<?s>; rel*=UTF-8''self, <?b>; rel=next",
  '<?s>; title=x, <?b>; rel="last next"',
  '<?s>; title="a, b", <?b>; title*=UTF-8\'\'%c3%a9; rel=next',
])('a header Link of %j leads to the next page', async (link) => {
  const server = await serveJson({}, { link });
  expect((await run(server.url, { next: 'link' })).errors).toEqual([undefined, undefined]);
  expect(urlsOf(server)).toEqual(['/', '/?b']);
});
