/* Bodies from files: --body-file and --form. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { appendFileSync, chmodSync, mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { serve, serveRaw, serveSocket } from '../../../support/http-server.ts';
import { freshFolder, sh } from '../../../support/run.ts';
import { attempt, fetchOne, open, taskOf } from '../support.ts';

const MB = 1_048_576;

function fileOf(name: string, content: string | Buffer): string {
  const path = join(freshFolder(), name);
  writeFileSync(path, content);
  return path;
}

/** Serves requests whose bodies are too long for `serve`. */
async function stream(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => void server.closeAllConnections());
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('--body-file', () => {
  test('sends a file with its length and the type of its ending, by POST', async () => {
    const server = await serve((response) => response.end());
    const path = fileOf('ä b.json', '{"a":1}');
    const { error } = await fetchOne({ url: server.url, path }, { bodyFile: '{path}' });
    expect(error).toBeUndefined();
    expect(server.seen[0]).toMatchObject({ method: 'POST', body: '{"a":1}' });
    expect(server.seen[0]?.headers).toMatchObject({
      'content-type': 'application/json',
      'content-length': '7',
    });
    expect(server.seen[0]?.headers).not.toHaveProperty('transfer-encoding');
  });

  test.each([
    ['x.bin', [], 'application/octet-stream'],
    ['none', [], 'application/octet-stream'],
    ['x.png', [], 'image/png'],
    ['x.png', ['Content-Type: image/x-own'], 'image/x-own'],
  ])('of %s with the headers %j has the type %s', async (name, header, type) => {
    const server = await serve((response) => response.end());
    await fetchOne({ url: server.url }, { bodyFile: fileOf(name, 'x'), header, method: 'put' });
    expect(server.seen[0]?.headers['content-type']).toBe(type);
    expect(server.seen[0]?.method).toBe('PUT');
  });

  test.each(['post', 'put', 'get', 'delete'])('sends an empty file by %s', async (method) => {
    const server = await serve((response) => response.end());
    const { error } = await fetchOne({ url: server.url, method }, { bodyFile: fileOf('x.txt', '') });
    expect(error).toBeUndefined();
    expect(server.seen[0]?.body).toBe('');
  });

  test('sends the file again at a 307, to another host too, and not at a 303', async () => {
    const to = await serve((response, { body }) => response.end(`${body.length}`));
    const from = await serve((response, { url }) =>
      response.writeHead(Number(url.slice(1)), { location: to.url }).end(),
    );
    const bodyFile = fileOf('x.txt', 'x'.repeat(3 * MB));
    const executor = await open({ bodyFile, method: 'put' });
    expect((await attempt(executor, { url: `${from.url}/307` })).result?.text).toBe(`${3 * MB}`);
    expect((await attempt(executor, { url: `${from.url}/303` })).result?.text).toBe('0');
    expect(to.seen.map(({ method }) => method)).toEqual(['PUT', 'GET']);
  });

  test('sends the file again when a reused connection was closed', async () => {
    const server = await serveRaw((socket, head) => {
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
      let read = head.length - head.indexOf('\r\n\r\n') - 4;
      const answer = (): void => {
        if (read < length) return;
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok', () => socket.destroy());
      };
      socket.on('data', (chunk) => {
        read += chunk.length;
        answer();
      });
      answer();
    });
    const executor = await open({ bodyFile: fileOf('x.txt', 'hello'), method: 'put' });
    for (let i = 0; i < 5; i++) expect((await attempt(executor, { url: server.url })).error).toBeUndefined();
  });

  test.each([
    ['is missing', '/none/x', 'cannot read the body from "/none/x": no such file or folder'],
    ['is a folder', '/tmp', 'cannot read the body from "/tmp": it is a folder'],
    [
      'is a device',
      '/dev/null',
      'cannot read the body from "/dev/null": it is not a regular file, so it cannot be sent again',
    ],
  ])('fails its task alone if the file %s', async (_, path, message) => {
    const server = await serve((response) => response.end());
    const executor = await open({ bodyFile: '{path}' });
    const { error, retry } = await attempt(executor, { url: server.url, path });
    expect(error).toEqual({ code: 'BODY_FILE', message });
    expect(retry).toBeUndefined();
    expect(server.connections).toBe(0);
    const good = await attempt(executor, { url: server.url, path: fileOf('x', 'y') });
    expect(good.error).toBeUndefined();
  });

  test('does not wait for the writer of a named pipe', async () => {
    const path = join(freshFolder(), 'pipe');
    execFileSync('mkfifo', [path]);
    const { error } = await fetchOne({ url: 'http://127.0.0.1:1/' }, { bodyFile: path });
    expect(error?.message).toContain('it is not a regular file');
  });

  test('fails its task if the file may not be read', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'secret'), 'y');
    chmodSync(join(cwd, 'secret'), 0);
    chmodSync(cwd, 0o755);
    const as = process.getuid?.() === 0 ? 'setpriv --reuid=65534 --clear-groups ' : ''; // root may read all files
    const command = `${as}task-exec --http --url http://127.0.0.1:1/ --body-file secret`;
    const { stdout } = await sh(command, { cwd, input: '{"uuid":"a"}\n' });
    const { run } = JSON.parse(stdout);
    expect(run.error).toEqual({ code: 'BODY_FILE', message: expect.stringContaining('permission denied') });
  });

  test.each([
    ['shrinks', (path: string) => truncateSync(path, MB)],
    ['grows', (path: string) => appendFileSync(path, 'more')],
  ])('fails with BODY_FILE, to be retried, if the file %s while it is sent', async (_, change) => {
    const path = fileOf('x.bin', Buffer.alloc(32 * MB));
    let isWhole = false;
    const url = await stream((request) => {
      request.once('data', () => {
        request.pause();
        change(path);
        request.resume();
      });
      request.on('end', () => {
        isWhole = true;
      });
      request.on('error', () => {});
    });
    const { error, retry } = await fetchOne({ url }, { bodyFile: path, method: 'put' });
    expect(error).toEqual({
      code: 'BODY_FILE',
      message: `the file "${path}" was changed while it was sent`,
    });
    expect(retry).toEqual({});
    expect(isWhole).toBe(false);
  });

  test('keeps the answer of a server that refuses a body before its end', async () => {
    const server = await serveRaw((socket) => {
      socket.end('HTTP/1.1 413 Too Large\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno');
    });
    const path = fileOf('x.bin', Buffer.alloc(64 * MB));
    const { error, result } = await fetchOne({ url: server.url }, { bodyFile: path });
    expect(error).toEqual({ code: 'HTTP_STATUS', message: '413 Too Large' });
    expect(result?.text ?? result?.base64).toBeDefined();
  });

  test.each(['photos/{id}', 'photos/{id}.jpg', '{dir}/{id}'])(
    'of %s does not leave its folder',
    async (bodyFile) => {
      const { error } = await fetchOne(
        { url: 'http://127.0.0.1:1/', dir: 'photos', id: '../../etc/passwd' },
        { bodyFile },
      );
      expect(error).toEqual({
        code: 'TEMPLATE',
        message: 'the path of --body-file has the step ".." in a value, which leads out of its folder',
      });
    },
  );

  test('finds a file in a folder that a value names, and one whose name is not UTF-8', async () => {
    const server = await serve((response, { body }) => response.end(body));
    const dir = freshFolder();
    mkdirSync(join(dir, '2024'));
    writeFileSync(join(dir, '2024', 'a.txt'), 'inside');
    const odd = Buffer.concat([Buffer.from(`${dir}/`), Buffer.from([0xff, 0xfe])]);
    writeFileSync(odd, 'odd');
    const inside = await fetchOne({ url: server.url, path: '2024/a.txt' }, { bodyFile: `${dir}/{path}` });
    expect(inside.result?.text).toBe('inside');
    const record = { url: server.url, path_base64: odd.toString('base64') };
    expect((await fetchOne(record, { bodyFile: '{path}' })).result?.text).toBe('odd');
  });

  test('sends 1 GB in flat memory', async () => {
    const size = 1024 * MB;
    const cwd = freshFolder();
    execFileSync('truncate', ['-s', String(size), join(cwd, 'big.bin')]);
    let received = 0;
    const url = await stream((request, response) => {
      request.on('data', (chunk: Buffer) => {
        received += chunk.length;
      });
      request.on('end', () => response.end('ok'));
    });
    writeFileSync(
      join(cwd, 'peak.mjs'),
      "process.on('exit', () => process.stderr.write('peak ' + process.resourceUsage().maxRSS + '\\n'));\n",
    );
    const { stdout, stderr } = await sh(`task-exec --http --body-file big.bin --timeout 10m`, {
      cwd,
      input: `{"uuid":"a","url":"${url}"}\n`,
      env: { NODE_OPTIONS: `--import ${join(cwd, 'peak.mjs')}` },
    });
    expect(JSON.parse(stdout)).toMatchObject({ result: { text: 'ok' }, run: { state: 'SUCCESS' } });
    expect(received).toBe(size);
    expect(Number(/peak (\d+)/.exec(stderr)?.[1]) / 1024).toBeLessThan(220);
  });
});

describe('a request without a body', () => {
  test.each([
    ['put', '0'],
    ['patch', '0'],
    ['post', '0'],
    ['delete', undefined],
    ['get', undefined],
  ])('is sent by %s with the length %s, as is one with empty --data', async (method, length) => {
    const server = await serve((response) => response.end());
    for (const options of [{}, { data: '' }, { data: '{none}' }])
      expect((await fetchOne({ url: server.url, method, none: '' }, options)).error).toBeUndefined();
    const lengths = server.seen.map(({ headers, body }) => [headers['content-length'], body]);
    expect(lengths).toEqual(Array(3).fill([length, '']));
    expect(server.seen[0]?.headers).not.toHaveProperty('content-type');
  });
});

describe('an answer that comes before the upload is sent', () => {
  test.each(['close', 'keep-alive'])(
    'is the result, and ends the upload: Connection: %s',
    async (connection) => {
      let received = 0;
      const server = await serveSocket((socket, chunk) => {
        if (received === 0) {
          const head = `HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: ${connection}\r\n\r\nbig`;
          socket.write(head, () => connection === 'close' && socket.destroySoon());
        }
        received += chunk.length;
      });
      const bodyFile = fileOf('large', Buffer.alloc(64 * MB));
      const { error, result } = await fetchOne({ url: server.url }, { bodyFile });
      expect(error).toEqual({ code: 'HTTP_STATUS', message: '413 Too Large' });
      expect(result?.status).toBe(413);
      expect(received).toBeLessThan(32 * MB);
    },
  );
});

describe('--form', () => {
  /** Returns the fields that a server reads, by Node's own parser. */
  async function fieldsOf(
    form: readonly string[],
    record: object,
    options: object = {},
  ): Promise<[string, unknown][]> {
    const server = await serve((response) => response.end());
    const { error } = await fetchOne({ url: server.url, ...record }, { form, ...options });
    expect(error).toBeUndefined();
    const [seen] = server.seen;
    const headers = { 'content-type': seen?.headers['content-type'] as string };
    expect(Number(seen?.headers['content-length'])).toBe(Buffer.byteLength(seen?.body ?? ''));
    const data = await new Response(seen?.body, { headers }).formData();
    return Promise.all(
      [...data].map(
        async ([name, value]): Promise<[string, unknown]> => [
          name,
          typeof value === 'string' ? value : [value.name, value.type, await value.text()],
        ],
      ),
    );
  }

  test('sends texts and files as a multipart body', async () => {
    const path = fileOf('a.txt', 'inside');
    expect(
      await fieldsOf(
        [
          'title={title}',
          'file=@{path}',
          'image=@{path};type=image/png;filename={title}.png',
          'note=<{path}',
        ],
        { title: 'ä "x"', path },
      ),
    ).toEqual([
      ['title', 'ä "x"'],
      ['file', ['a.txt', 'text/plain', 'inside']],
      ['image', ['ä "x".png', 'image/png', 'inside']],
      ['note', 'inside'],
    ]);
  });

  test('never treats a value as a file or a parameter', async () => {
    expect(await fieldsOf(['a={a}', 'b={b}'], { a: '@/etc/passwd', b: 'x;type=text/html' })).toEqual([
      ['a', '@/etc/passwd'],
      ['b', 'x;type=text/html'],
    ]);
  });

  test('escapes values in a field of JSON', async () => {
    const json = 'meta={"title":"{title}","n":{n}};type=application/json';
    expect(await fieldsOf([json], { title: 'a"b', n: 3 })).toEqual([['meta', '{"title":"a\\"b","n":3}']]);
  });

  test('escapes names as browsers do', async () => {
    const server = await serve((response) => response.end());
    const path = fileOf('a"b.txt', 'x');
    await fetchOne({ url: server.url, path }, { form: ['f"1=@{path};filename="q\\"\\\\.txt"', 'g=@{path}'] });
    const heads = server.seen[0]?.body.match(/Content-Disposition.*/g);
    expect(heads).toEqual([
      'Content-Disposition: form-data; name="f%221"; filename="q%22\\.txt"',
      'Content-Disposition: form-data; name="g"; filename="a%22b.txt"',
    ]);
  });

  test('keeps a multipart type of the user and adds the boundary that it lacks', async () => {
    const server = await serve((response) => response.end());
    const types = ['multipart/related', 'multipart/form-data; boundary=own', 'application/json'];
    const executor = await open({ form: ['a=1'] });
    const tried = [];
    for (const type of types)
      tried.push(await attempt(executor, { url: server.url, headers: { 'Content-Type': type } }));
    expect(server.seen[0]?.headers['content-type']).toMatch(
      /^multipart\/related; boundary=taskpipe-[0-9a-f]{32}$/,
    );
    expect(server.seen[1]?.headers['content-type']).toBe('multipart/form-data; boundary=own');
    expect(server.seen[1]?.body).toMatch(/^--own\r\n[\s\S]*\r\n--own--\r\n$/);
    expect(tried[2]?.error).toEqual({
      code: 'REQUEST',
      message: '--form sends a multipart body, not application/json; remove that header',
    });
  });

  test('fails its task if one of its files is missing', async () => {
    const server = await serve((response) => response.end());
    const { error } = await fetchOne({ url: server.url }, { form: ['a=1', 'f=@/none/x'] });
    expect(error?.code).toBe('BODY_FILE');
    expect(server.connections).toBe(0);
  });

  test.each(['x', '=y', 'f=@', 'f=@-', 'f=@{a'])('%s is wrong usage', async (field) => {
    await expect(open({ form: [field] })).rejects.toMatchObject({ code: 'USAGE' });
  });
});

test('--print-curl shows an upload as a curl command that sends the same', async () => {
  const server = await serve((response) => response.end());
  const cwd = freshFolder();
  writeFileSync(join(cwd, "it's.txt"), 'in"side');
  const cases = [
    `--form 'title={t}' --form 'file=@{p};type=text/x-own;filename="a;b.txt"' --form 'j={"a":"{t}"};type=application/json'`,
    `--body-file '{p}' --method put`,
    `--data '{"t":"{t}"}' --method get`,
    `--data 'a={t}' --method PROPFIND`,
  ];
  for (const options of cases) {
    const input = `${JSON.stringify({ uuid: 'a', url: server.url, t: '@a"b', p: "it's.txt" })}\n`;
    const { stderr, stdout } = await sh(`task-exec --http --print-curl ${options}`, { cwd, input });
    expect(JSON.parse(stdout).run.state).toBe('SUCCESS');
    const line = stderr.split('\n').find((one) => one.startsWith('curl '));
    expect((await sh(`${line} --silent`, { cwd })).code).toBe(0);
    const [ours, theirs] = server.seen.slice(-2).map(({ method, body, headers }) => {
      const type = headers['content-type'] ?? '';
      const [, boundary = '\0'] = /boundary=(.+)/.exec(type) ?? [];
      return { method, body: body.replaceAll(boundary, 'B'), type: type.replace(boundary, 'B') };
    });
    expect(ours).toEqual(theirs);
    const dry = await sh(`task-exec --http --print-curl --dry-run ${options}`, { cwd, input });
    expect(dry.stderr).toContain(line);
  }
});

test('--dry-run names the files of a body', async () => {
  const executor = await open({ bodyFile: '{p}' });
  expect(executor.describe(taskOf({ url: 'http://h/', p: 'a b.txt' }))).toBe('POST http://h/ with "a b.txt"');
});

test('an upload that was retried has the bytes of the file each time', async () => {
  const digests: string[] = [];
  const url = await stream((request, response) => {
    const hash = createHash('sha256');
    request.on('data', (chunk: Buffer) => hash.update(chunk));
    request.on('end', () => {
      digests.push(hash.digest('hex'));
      response.writeHead(digests.length < 3 ? 503 : 200).end();
    });
  });
  const cwd = freshFolder();
  const bytes = Buffer.from(Array.from({ length: 500_000 }, (_, i) => `${i} `).join(''));
  writeFileSync(join(cwd, 'x.bin'), bytes);
  const { stdout } = await sh('task-exec --http --method put --body-file x.bin --backoff 1ms..5ms', {
    cwd,
    input: `{"uuid":"a","url":"${url}"}\n`,
  });
  expect(JSON.parse(stdout).run.state).toBe('SUCCESS');
  const digest = createHash('sha256').update(bytes).digest('hex');
  expect(digests).toEqual([digest, digest, digest]);
});
