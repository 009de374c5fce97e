/* Files of --body-dir that are named by attributes. */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { serve, type TestServer } from '../../../support/http-server.ts';
import { freshFolder, sh } from '../../../support/run.ts';
import { attempt, open, type Tried } from '../support.ts';

const echo = (): Promise<TestServer> =>
  serve((response, { url }) => response.setHeader('content-type', 'application/pdf').end(`of ${url}`));
const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Fetches a path for a task into files of a template, with its own process. */
async function into(bodyDir: string, url: string, record: object, uuid: string): Promise<Tried> {
  const executor = await open({ bodyDir });
  try {
    return await attempt(executor, { url, uuid, ...record }, uuid);
  } finally {
    await executor.close();
  }
}

test('a file is named by attributes, in folders that are made', async () => {
  const dir = freshFolder();
  const server = await echo();
  const template = `${dir}/pdfs/{maker.name}/{sku}-{uuid}.{result.type}`;
  const record = { maker: { name: 'Åke & Söhne' }, sku: 12.5, result: { type: '../html' } };
  const { result } = await into(template, `${server.url}/1`, record, 'u1');
  const file = `${dir}/pdfs/Åke & Söhne/12.5-u1.pdf`;
  expect(result).toMatchObject({ file, bytes: 5, sha256: digest('of /1') });
  expect(readFileSync(file, 'utf8')).toBe('of /1');
});

describe('a value', () => {
  test.each([
    ['../up', '%2E.%2Fup.pdf'],
    ['/etc/passwd', '%2Fetc%2Fpasswd.pdf'],
    ['..', '%2E..pdf'],
    ['.taskpipe', '%2Etaskpipe.pdf'],
    ['a\\b', 'a%5Cb.pdf'],
    ['a\0b\n\x1b[31m', 'a%00b%0A%1B[31m.pdf'],
    ['50%', '50%25.pdf'],
    ['日本 語', '日本 語.pdf'],
    ['x'.repeat(251), `${'x'.repeat(251)}.pdf`],
  ])('%j is a part of the name and nothing else', async (sku, name) => {
    const dir = freshFolder();
    const server = await echo();
    const { error } = await into(`${dir}/d/{sku}.pdf`, server.url, { sku }, 'u1');
    expect(error).toBeUndefined();
    expect(readdirSync(join(dir, 'd')).sort()).toEqual(['.taskpipe', name].sort());
    expect(readdirSync(dir)).toEqual(['d']);
  });

  test.each([
    ['{sku}.pdf', '', 'FILE_NAME', 'after {sku}, which is empty'],
    ['{sku}.{result.type}', '日本'.repeat(50), 'FILE_NAME', 'more than 255 bytes'],
    ['{sku}.pdf', 'x'.repeat(260), 'FILE_NAME', 'more than 255 bytes'],
    ['{sku}.pdf', 'x'.repeat(253), 'FILE_NAME', 'ENAMETOOLONG'],
    ['{sku}.pdf', '\ud800', 'FILE_NAME', 'surrogate'],
    ['{sku}.pdf', null, 'TEMPLATE', 'the template needs {sku}'],
    ['{sku}/x', 'file', 'FILE_NAME', 'ENOTDIR'],
  ])('that gives no name fails its task before a request: %s of %j', async (template, sku, code, words) => {
    const dir = freshFolder();
    writeFileSync(join(dir, 'file'), '');
    const server = await echo();
    const { error, retry } = await into(`${dir}/${template}`, server.url, { sku }, 'u1');
    expect(error).toMatchObject({ code, message: expect.stringContaining(words) });
    expect(retry).toBeUndefined();
    expect(server.seen).toHaveLength(0);
  });
});

describe('a second task with the same name', () => {
  const message = (file: string): RegExp => new RegExp(`^"${file}" is the file of the task u1;.*--body-dir`);

  test('fails, and the file of the first stays', async () => {
    const dir = freshFolder();
    const server = await echo();
    const executor = await open({ bodyDir: `${dir}/{sku}.pdf` });
    await attempt(executor, { url: `${server.url}/1`, sku: 'a' }, 'u1');
    const { error } = await attempt(executor, { url: `${server.url}/2`, sku: 'a' }, 'u2');
    expect(error).toMatchObject({
      code: 'FILE_TAKEN',
      message: expect.stringMatching(message(`${dir}/a.pdf`)),
    });
    expect(readFileSync(`${dir}/a.pdf`, 'utf8')).toBe('of /1');
    expect(server.seen).toHaveLength(1);
  });

  test('fails in another run too, also if both had the same bytes', async () => {
    const dir = freshFolder();
    const server = await echo();
    await into(`${dir}/{sku}.pdf`, server.url, { sku: 'a' }, 'u1');
    const { error } = await into(`${dir}/{sku}.pdf`, server.url, { sku: 'a' }, 'u2');
    expect(error?.code).toBe('FILE_TAKEN');
  });

  test.each(['{sku}.pdf', '{sku}.{result.type}'])('fails while the first runs: %s', async (template) => {
    const dir = freshFolder();
    const server = await serve((response, { url }) => {
      response.setHeader('content-type', 'application/pdf');
      setTimeout(() => response.end(`of ${url}`), url === '/1' ? 50 : 200);
    });
    const executor = await open({ bodyDir: `${dir}/${template}` });
    const [first, second] = await Promise.all(
      ['1', '2'].map((n) => attempt(executor, { url: `${server.url}/${n}`, sku: 'a' }, `u${n}`)),
    );
    expect([first?.error, second?.error?.code]).toEqual([undefined, 'FILE_TAKEN']);
    expect(readFileSync(`${dir}/a.pdf`, 'utf8')).toBe('of /1');
    expect(readdirSync(`${dir}/.taskpipe`)).toEqual(['files.ndjson']);
  });

  test('may use the name once the file of the first was removed', async () => {
    const dir = freshFolder();
    const server = await echo();
    await into(`${dir}/{sku}.pdf`, `${server.url}/1`, { sku: 'a' }, 'u1');
    rmSync(`${dir}/a.pdf`);
    const { error } = await into(`${dir}/{sku}.pdf`, `${server.url}/2`, { sku: 'a' }, 'u2');
    expect(error).toBeUndefined();
    expect((await into(`${dir}/{sku}.pdf`, server.url, { sku: 'a' }, 'u1')).error?.code).toBe('FILE_TAKEN');
    expect(readFileSync(`${dir}/a.pdf`, 'utf8')).toBe('of /2');
  });
});

describe('the same task in another run', () => {
  test('replaces its file', async () => {
    const dir = freshFolder();
    const server = await echo();
    for (const n of ['1', '2', '3']) {
      const { error } = await into(`${dir}/{sku}.pdf`, `${server.url}/${n}`, { sku: 'a' }, 'u1');
      expect(error).toBeUndefined();
      expect(readFileSync(`${dir}/a.pdf`, 'utf8')).toBe(`of /${n}`);
    }
  });

  test('does not replace a file that someone changed', async () => {
    const dir = freshFolder();
    const server = await echo();
    await into(`${dir}/{sku}.pdf`, server.url, { sku: 'a' }, 'u1');
    writeFileSync(`${dir}/a.pdf`, 'precious');
    const { error } = await into(`${dir}/{sku}.pdf`, server.url, { sku: 'a' }, 'u1');
    expect(error).toMatchObject({
      code: 'FILE_TAKEN',
      message: expect.stringContaining('changed by someone else'),
    });
    expect(readFileSync(`${dir}/a.pdf`, 'utf8')).toBe('precious');
  });

  test('replaces its file after a crash between the list and the file', async () => {
    const dir = freshFolder();
    const server = await echo();
    await into(`${dir}/{sku}.pdf`, `${server.url}/1`, { sku: 'a' }, 'u1');
    const crash = { file: 'a.pdf', uuid: 'u1', sha256: digest('of /2'), replaces: digest('of /1') };
    writeFileSync(`${dir}/.taskpipe/files.ndjson`, `\n${JSON.stringify(crash)}\n\n{"file":"a.p`, {
      flag: 'a',
    });
    const { error } = await into(`${dir}/{sku}.pdf`, `${server.url}/3`, { sku: 'a' }, 'u1');
    expect(error).toBeUndefined();
    expect(readFileSync(`${dir}/a.pdf`, 'utf8')).toBe('of /3');
  });
});

test.each([
  ['a file', (path: string) => writeFileSync(path, 'precious')],
  ['a link to a file', (path: string) => symlinkSync('precious', path)],
  ['a link to nothing', (path: string) => symlinkSync('nothing', path)],
  ['a folder', (path: string) => mkdirSync(path)],
])('%s that no task wrote is never replaced', async (_, make) => {
  const dir = freshFolder();
  writeFileSync(join(dir, 'precious'), 'precious');
  make(join(dir, 'a.pdf'));
  const server = await echo();
  const { error } = await into(`${dir}/{sku}.pdf`, server.url, { sku: 'a' }, 'u1');
  expect(error).toMatchObject({ code: 'FILE_TAKEN', message: expect.stringContaining('no task wrote it') });
  expect(readFileSync(join(dir, 'precious'), 'utf8')).toBe('precious');
  expect(existsSync(join(dir, 'nothing'))).toBe(false);
});

test('an unexpected answer has its body in the result, not in the file', async () => {
  const dir = freshFolder();
  const server = await serve((response) =>
    response.writeHead(404, { 'content-type': 'text/plain' }).end('no'),
  );
  const { error, result } = await into(`${dir}/{sku}.pdf`, server.url, { sku: 'a' }, 'u1');
  expect(error?.code).toBe('HTTP_STATUS');
  expect(result).toMatchObject({ status: 404, text: 'no' });
  expect(readdirSync(dir)).toEqual(['.taskpipe']);
});

test.each(['pdfs/{sku}/', 'pdfs/{sku', 'pdfs/{}', '{sku}/..'])(
  '--body-dir %s is wrong usage',
  async (template) => {
    const { code, stderr } = await sh(`task-exec --http --body-dir '${template}' < /dev/null`);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--body-dir must')]);
  },
);
