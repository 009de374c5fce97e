import { describe, expect, test } from 'vitest';
import { parsed } from '../../pipes/pipeline.ts';
import { type Answering, serve } from '../../support/http-server.ts';
import { sh } from '../../support/run.ts';

const records = (count: number): string =>
  Array.from({ length: count }, (_, i) => `{"uuid":"u${i}","n":${i},"big":1.50}\n`).join('');

/** Runs task-exec --http for a server. Returns the rows by their `n`, and the requests. */
async function run(answer: Answering, options: string, input = records(10)) {
  const { url, seen } = await serve(answer);
  const command = `task-exec --http --url ${url}/embed --backoff 1ms..2ms ${options}`;
  const ended = await sh(command, { input });
  const rows = parsed(ended.stdout).sort((a, b) => Number(a.n) - Number(b.n));
  const errors = rows.map(({ run }) => Object(run).error?.message);
  const json = rows.map(({ result }) => Object(result).json);
  return { ...ended, rows, seen, errors, json };
}

/** Answers with JSON made of the items of a request. */
function answers(make: (items: Record<string, number>[]) => unknown, status = 200): Answering {
  return (response, { body }) => {
    const made = make(JSON.parse(body));
    response.writeHead(made instanceof Error ? 400 : status, { 'content-type': 'application/json' });
    response.end(JSON.stringify(made instanceof Error ? { error: made.message } : made));
  };
}

const numbers = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

describe('--http --batch', () => {
  test('posts the records as an array, and gives each task its item', async () => {
    const { json, seen, stdout } = await run(
      answers((items) => items.map(({ n }) => n)),
      '--batch 4',
    );
    expect(json).toEqual(numbers);
    expect(seen.map(({ method, body }) => [method, JSON.parse(body).length])).toEqual([
      ['POST', 4],
      ['POST', 4],
      ['POST', 2],
    ]);
    expect(seen[0]?.headers['content-type']).toBe('application/json');
    expect(seen[0]?.body).toContain('{"uuid":"u0","n":0,"big":1.50}');
    expect(stdout).toContain('"type":"application/json","json":3}');
  });

  test('makes the items of --data, and reads those of the answer by --batch-answer', async () => {
    const answer = answers((items) => ({ data: items.map((n) => ({ embedding: [n, 1] })) }));
    const { json, seen } = await run(answer, `--batch 5 --data '{n}' --batch-answer 'data[].embedding'`);
    expect(json[3]).toEqual([3, 1]);
    expect(seen[1]?.body).toBe('[5,6,7,8,9]');
  });

  test.each([
    [
      'an object by uuid',
      (items: Record<string, number>[]) => Object.fromEntries(items.map((one) => [one.uuid, one.n])),
    ],
    ['items with uuids, in any order', (items: Record<string, number>[]) => items.reverse()],
  ])('takes %s', async (_, make) => {
    const { json, stderr } = await run(answers(make), '--batch 5');
    expect(json.map((one) => Object(one).n ?? one)).toEqual(numbers);
    expect(stderr).toBe('task-exec: 10 done\n');
  });

  test('keeps the digits of items that --batch-answer finds by names alone', async () => {
    const answer: Answering = (response, { body }) => {
      const items = JSON.parse(body).map(() => '{"id":12345678901234567890,"v":1.50}');
      response.setHeader('content-type', 'application/json');
      response.end(`{"a":{"data":[${items}]}}`);
    };
    const { stdout } = await run(answer, '--batch 10 --batch-answer a.data');
    expect(stdout.match(/"json":\{"id":12345678901234567890,"v":1\.50\}/g)).toHaveLength(10);
  });

  test('gives an item without a uuid to the task at its place, unless others moved', async () => {
    const lacking = (items: Record<string, number>[]): unknown[] =>
      items.map((one) => (one.n === 3 ? { error: 'three' } : one));
    const ordered = await run(answers(lacking), '--batch 10');
    expect(ordered.json[3]).toEqual({ error: 'three' });
    const moved = await run(
      answers((items) => lacking(items).reverse()),
      '--batch 10',
    );
    expect(moved.errors.filter((one) => one !== undefined)).toEqual([
      'the answer has nothing for this task of its batch',
    ]);
    expect(moved.json[4]).toMatchObject({ n: 4 });
  });

  // agno #10128, openai-python #420, pydantic-ai #7316 and chroma #344: vectors go to the wrong texts.
  test('gives items to the tasks of their index, in any order, also if one is missing', async () => {
    const indexed = (items: Record<string, number>[]): { index: number; v: unknown }[] =>
      items.map(({ n }, index) => ({ index, v: n }));
    const moved = await run(
      answers((items) => ({ data: indexed(items).reverse() })),
      '--batch 5 --batch-answer data',
    );
    expect(moved.json.map((one) => Object(one).v)).toEqual(numbers);
    const short = await run(
      answers((items) => indexed(items).filter(({ index }) => index !== 2)),
      '--batch 5',
    );
    expect(short.json[3]).toEqual({ index: 3, v: 3 });
    expect(short.stderr).toContain('8 done, 2 failed (BATCH 2)');
  });

  test('is not halved if a server refuses it whatever its contents', async () => {
    for (const status of [402, 429]) {
      const { seen, stderr } = await run(
        answers(() => ({ error: { code: 'insufficient_quota' } }), status),
        '--batch 10',
      );
      expect([seen.length, stderr]).toEqual([1, expect.stringContaining('10 failed')]);
    }
  });

  test('does not start with an expression that calls an unknown function', async () => {
    for (const option of [
      "--batch 2 --batch-answer 'len(data)'",
      "--next 'nope(x)'",
      "--expect-json 'nope(x)'",
    ]) {
      const { code, stderr, seen } = await run(
        answers(() => []),
        option,
      );
      expect([code, seen.length]).toEqual([2, 0]);
      expect(stderr).toContain('Unknown function');
    }
  });

  test('halves a batch that gets 503 at each retry: one task fails, with its own answer', async () => {
    for (const options of ['--retries 0', '--retries 2', '--retries 2 --method PUT']) {
      const answer: Answering = (response, { body }) => {
        const isBad = JSON.parse(body).some(({ n }: Record<string, number>) => n === 6);
        response.writeHead(isBad ? 503 : 200, { 'content-type': 'application/json' });
        response.end(isBad ? '{"error":"bad"}' : body);
      };
      const { errors, json, stderr } = await run(answer, `--batch 10 ${options}`, records(20));
      expect(stderr).toContain('19 done, 1 failed (HTTP_STATUS 503: 1)');
      expect([errors[6], json[6]]).toEqual(['503 Service Unavailable', { error: 'bad' }]);
    }
  });

  test('is not halved after the last retry if the server asks to wait, unlike after a 503 without a time', async () => {
    for (const [status, headers, all] of [
      [503, {}, true],
      [503, { 'retry-after-ms': '5' }, false],
      [429, {}, false],
    ] as const) {
      const answer: Answering = (response, { body }) => {
        const isOne = JSON.parse(body).length === 1; // so that halving finds no bad task
        response.writeHead(isOne ? 200 : status, { ...headers, 'content-type': 'application/json' });
        response.end(body);
      };
      const { stderr } = await run(answer, '--batch 2 --retries 0', records(2));
      expect([status, stderr.includes(' failed')]).toEqual([status, !all]);
    }
  });

  test('halves a batch that a server refuses: one task fails, with its own answer', async () => {
    const answer = answers((items) => (items.some(({ n }) => n === 6) ? new Error('bad') : items));
    const { errors, json, seen, stderr } = await run(answer, '--batch 10');
    expect(stderr).toContain('9 done, 1 failed (HTTP_STATUS 400: 1)');
    expect([errors[6], json[6]]).toEqual(['400 Bad Request', { error: 'bad' }]);
    expect(seen.length).toBeLessThan(8);
  });

  test('does not halve a batch to single tasks while a server refuses each request', async () => {
    const input = records(64);
    const down = answers(() => new Error('down'));
    const { seen, stderr } = await run(down, '--batch 64 --retries 1', input);
    // Both attempts, and the halves down to a single task; the whole batch would be 127 requests each time.
    expect(seen.length).toBe(2 * (1 + 12));
    expect(stderr).toContain('64 failed');
  });

  // logstash-output-elasticsearch #1199, fluent-bit #10056: a request that is too large is sent again forever.
  test('halves a batch that is too large for its server', async () => {
    const answer: Answering = (response, { body }) => {
      const items = JSON.parse(body);
      response.writeHead(items.length > 3 ? 413 : 200, { 'content-type': 'application/json' });
      response.end(JSON.stringify(items));
    };
    expect((await run(answer, '--batch 10')).stderr).toBe('task-exec: 10 done\n');
  });

  test('does not repeat a request whose answer does not match, or that got no answer', async () => {
    const short = await run(
      answers((items) => items.slice(1).map(() => 1)),
      '--batch 10',
    );
    expect([short.seen.length, short.errors[0]]).toEqual([1, expect.stringContaining('it has 9 items')]);
    const cut = await run((response) => response.destroy(), '--batch 10');
    expect(cut.seen.length).toBe(1);
    expect(cut.stderr).toContain('10 failed');
  });

  test('retries a batch that a server defers, as a whole, with another key if its tasks differ', async () => {
    let count = 0;
    const answer: Answering = (response, { body }) => {
      response.writeHead(++count === 1 ? 429 : 200, {
        'content-type': 'application/json',
        'retry-after': '0',
      });
      response.end(body);
    };
    const { stderr, seen } = await run(answer, '--batch 10 --batch-wait 100ms --idempotency-header');
    expect(stderr).toContain('10 done');
    expect(seen.map(({ body }) => JSON.parse(body).length).reduce((sum, n) => sum + n)).toBe(20);
    const keys = seen.map(({ headers, body }) => `${headers['idempotency-key']} ${body}`);
    expect(new Set(keys.map((key) => key.split(' ')[0])).size).toBe(
      new Set(keys.map((key) => key.slice(37))).size,
    );
  });

  test('has only tasks of one address and one set of headers in a request', async () => {
    const { url, seen } = await serve(answers((items) => items));
    const input = numbers
      .map((n) => `{"uuid":"u${n}","url":"${url}/${n % 2}","headers":{"X-T":"${n % 3}"},"n":${n}}\n`)
      .join('');
    await sh('task-exec --http --batch 10', { input });
    expect(new Set(seen.map(({ url: path, headers }) => path + headers['x-t'])).size).toBe(seen.length);
    expect(seen.length).toBe(6);
  });

  test.each([
    ['--next link', 'cannot be combined'],
    ['--body-dir out', 'cannot be combined'],
    ['--body text', '--body text and --batch cannot be combined'],
    ['--adaptive', 'cannot be combined'],
    ["--batch-answer 'a['", '--batch-answer must be a JMESPath expression'],
  ])('refuses %s', async (option, message) => {
    const { stderr, code } = await sh(`task-exec --http --batch 2 ${option}`);
    expect([code, stderr]).toEqual([2, expect.stringContaining(message)]);
  });
});
