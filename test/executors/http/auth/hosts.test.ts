/* Basic and bearer logins, the files that map hosts to them, and redirects to other origins. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openFetcher } from '../../../../src/executors/http/fetch.ts';
import type { HttpOptions } from '../../../../src/executors/http/index.ts';
import { serve, serveTls, type TestServer } from '../../../support/http-server.ts';
import { freshFolder, sh } from '../../../support/run.ts';
import { attempt, fetchOne, open } from '../support.ts';

/** Writes a file that only its owner can read. */
function secretFile(text: string, mode = 0o600): string {
  const file = join(freshFolder(), 'secret');
  writeFileSync(file, text, { mode });
  chmodSync(file, mode);
  return file;
}

const basic = (account: string): string => `Basic ${Buffer.from(account).toString('base64')}`;
const credentialsOf = ({ seen }: TestServer): (string | undefined)[] =>
  seen.map(({ headers }) => headers.authorization);
const answering = (): Promise<TestServer> => serve((response) => response.end('ok'));

describe('--auth', () => {
  test('takes an empty user, and a file with a byte order mark', async () => {
    const server = await answering();
    await fetchOne({ url: server.url }, { auth: 'basic', authFile: secretFile('\ufeff:token\n') });
    expect(credentialsOf(server)).toEqual([basic(':token')]);
  });

  test('refuses a file that is not UTF-8, because its secret would be changed', async () => {
    const file = secretFile('');
    writeFileSync(file, Buffer.from('jø:pw', 'latin1'));
    await expect(open({ auth: 'basic', authFile: file })).rejects.toThrow(
      `--auth-file ${file}: not UTF-8; iconv -f LATIN1 -t UTF-8 ${file} converts it, if it is in Latin-1`,
    );
  });

  test.each([
    ['basic', 'Digest realm="x", nonce="n"', ' (the server asks for --auth digest)'],
    ['digest', ['Basic realm="x"', 'Bearer'], ' (the server asks for --auth basic or --auth bearer)'],
    ['digest', 'Negotiate', ''],
    ['basic', 'Basic realm="x"', ''],
  ] as const)('%s at a server that asks for %j fails with advice', async (auth, challenge, advice) => {
    const server = await serve((response) => {
      response.writeHead(401, { 'www-authenticate': challenge as string | string[] }).end();
    });
    const { error } = await fetchOne({ url: server.url }, { auth, authFile: secretFile('a:b') });
    expect(error?.message).toBe(`401 Unauthorized${advice}`);
  });

  test('sends user and password of a file, in UTF-8', async () => {
    const server = await answering();
    await fetchOne({ url: server.url }, { auth: 'basic', authFile: secretFile('jø:p:w\n') });
    expect(credentialsOf(server)).toEqual([basic('jø:p:w')]);
  });

  test('sends a token of the environment', async () => {
    const server = await answering();
    await fetchOne({ url: server.url }, { auth: 'bearer', env: { TASK_AUTH_SECRET: 'abc.def' } });
    expect(credentialsOf(server)).toEqual(['Bearer abc.def']);
  });

  test('yields to the header Authorization of a record, and to the user of a url', async () => {
    const server = await answering();
    const executor = await open({ auth: 'bearer', env: { TASK_AUTH_SECRET: 'abc' } });
    await attempt(executor, { url: server.url, headers: { authorization: 'Own x' } });
    await attempt(executor, { url: server.url.replace('//', '//jo:pw@') });
    expect(credentialsOf(server)).toEqual(['Own x', basic('jo:pw')]);
  });

  test('keeps the login at a redirect within the origin, and sends it to no other origin', async () => {
    const other = await answering();
    const server = await serve((response, { url }) => {
      const location = url === '/a' ? '/b' : `${other.url}/c`;
      response.writeHead(302, { location }).end();
    });
    for (const auth of ['basic', 'bearer'] as const)
      await fetchOne({ url: `${server.url}/a` }, { auth, env: { TASK_AUTH_SECRET: 'jo:pw' } });
    expect(credentialsOf(server)).toEqual([
      ...Array(2).fill(basic('jo:pw')),
      ...Array(2).fill('Bearer jo:pw'),
    ]);
    expect(credentialsOf(other)).toEqual([undefined, undefined]);
  });

  test('does not come back to an origin that another one redirects to', async () => {
    const other = await serve((response) => response.writeHead(302, { location: `${server.url}/c` }).end());
    const server = await serve((response, { url }) =>
      url === '/c' ? response.end() : response.writeHead(302, { location: other.url }).end(),
    );
    await fetchOne({ url: `${server.url}/a` }, { auth: 'bearer', env: { TASK_AUTH_SECRET: 'abc' } });
    expect(credentialsOf(server)).toEqual(['Bearer abc', undefined]);
  });

  test('separates the entries of a cache by login', async () => {
    const server = await serve((response, { headers }) => {
      response.setHeader('cache-control', 'max-age=1000');
      response.end(headers.authorization ?? 'no one');
    });
    const cache = join(freshFolder(), 'cache');
    const texts: unknown[] = [];
    for (const secret of ['jo:a', 'jo:b', 'jo:a', undefined]) {
      const login = secret === undefined ? {} : { auth: 'basic' as const, env: { TASK_AUTH_SECRET: secret } };
      texts.push((await fetchOne({ url: server.url }, { ...login, cache })).result?.text);
    }
    expect(texts).toEqual([basic('jo:a'), basic('jo:b'), basic('jo:a'), 'no one']);
    expect(server.seen).toHaveLength(3);
  });
});

describe('a usage error', () => {
  const secret = (text: string): HttpOptions['env'] => ({ TASK_AUTH_SECRET: text });
  const readable = (): string => secretFile('jo:hush', 0o644);
  test.each([
    [{ auth: 'basic' }, 'TASK_AUTH_SECRET'],
    [{ auth: 'basic', env: secret('hush') }, 'must be user:password'],
    [{ auth: 'bearer', env: secret('hu sh') }, 'must be one token'],
    [{ authFile: 'x' }, 'add --auth'],
    [{ auth: 'basic', header: ['Authorization: hush'], env: secret('a:hush') }, 'contradict each other'],
    [{ auth: 'basic', awsSigv4: 'a:b', env: secret('a:hush') }, 'contradict each other'],
    [{ auth: 'basic', authFile: readable() }, 'chmod 600 '],
    [{ netrc: readable() }, 'chmod 600 '],
    [{ logins: readable() }, 'chmod 600 '],
    [{ oauth2: readable() }, 'chmod 600 '],
    [{ logins: secretFile('{}') }, 'names no host'],
    [{ logins: secretFile('{"*.h": {"token": "hush"}}') }, 'must be host, host:port or https://host:port'],
    [{ logins: secretFile('{"h": {"token": "hush", "user": "a"}}') }, 'both a token and a user'],
    [{ logins: secretFile('{"h": {"user": "a:hush", "password": "b"}}') }, 'must not have a colon'],
    [{ logins: secretFile('["hush"]') }, 'must be a JSON object'],
    [{ logins: secretFile('{"h": hush}') }, 'not JSON'],
    [{ logins: secretFile('{"h/path": {"token": "hush"}}') }, 'must be host, host:port or https://host:port'],
    [{ logins: secretFile('{"h": {"user": "hush"}}') }, 'must be {"user", "password"}'],
    [{ awsSigv4: 'eu-west-1:s3' }, 'AWS_ACCESS_KEY_ID'],
    [{ key: readable() }, 'add --cert'],
  ] as [HttpOptions, string][])('of %j says what to type, and shows no secret', async (options, words) => {
    const error = await open(options).catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'USAGE' });
    expect((error as Error).message).toContain(words);
    expect((error as Error).message).not.toContain('hush');
  });

  test.each([
    ['--header', 'X-Api-Key: hush'],
    ['--proxy', 'http://jo:hush@127.0.0.1:1'],
  ])('in a file of %s that others can read get a warning', async (option, text) => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'open.txt'), text, { mode: 0o644 });
    const { stderr } = await sh(`task-exec --http ${option} @open.txt`, { cwd });
    expect(stderr).toContain(
      `${option} open.txt: other users of this machine can read it; chmod 600 open.txt`,
    );
    expect(stderr).not.toContain('hush');
  });

  test('of the command line ends it with 2', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'open.txt'), 'jo:hush', { mode: 0o644 });
    const { code, stderr } = await sh('task-exec --http --auth basic --auth-file open.txt', { cwd });
    expect(stderr).toContain('other users of this machine can read it; chmod 600 open.txt');
    expect(code).toBe(2);
  });
});

describe('--logins', () => {
  test('has logins for hosts, ports and origins, and the most specific one counts', async () => {
    const [one, two] = [await answering(), await answering()];
    const file = secretFile(
      JSON.stringify({
        '127.0.0.1': { user: 'a', password: 'b' },
        [`127.0.0.1:${one.port}`]: { token: 'one' },
        [`https://127.0.0.1:${two.port}`]: { token: 'tls' },
      }),
    );
    const executor = await open({ logins: file, auth: 'bearer', env: { TASK_AUTH_SECRET: 'usual' } });
    for (const { url } of [one, two]) await attempt(executor, { url });
    await attempt(executor, { url: two.url.replace('127.0.0.1', 'localhost') });
    expect([...credentialsOf(one), ...credentialsOf(two)]).toEqual([
      'Bearer one',
      basic('a:b'),
      'Bearer usual',
    ]);
  });

  test('logs in at the host of a redirect that it names, over https, and over http at none', async () => {
    const secure = await serveTls((response) => response.end('ok'));
    const plain = await answering();
    const logins = secretFile(JSON.stringify({ localhost: { token: 'there' } }));
    for (const { url } of [secure, plain]) {
      const location = url.replace('127.0.0.1', 'localhost');
      const server = await serve((response) => response.writeHead(302, { location }).end());
      await fetchOne({ url: server.url }, { logins, insecure: true });
      expect(credentialsOf(server)).toEqual([undefined]);
    }
    expect(credentialsOf(secure)).toEqual(['Bearer there']);
    expect(credentialsOf(plain)).toEqual([undefined]);
  });

  test('does not log in again at its host if a redirect leads from https to http', async () => {
    const plain = await answering();
    const secure = await serveTls((response) => response.writeHead(302, { location: plain.url }).end());
    const logins = secretFile(JSON.stringify({ '127.0.0.1': { token: 'there' } }));
    await fetchOne({ url: secure.url }, { logins, insecure: true });
    expect([credentialsOf(secure), credentialsOf(plain)]).toEqual([['Bearer there'], [undefined]]);
  });
});

test('ctx.fetch logs in at the origin of its url, and at no other', async () => {
  const other = await answering();
  const server = await serve((response) => response.writeHead(302, { location: other.url }).end());
  const fetcher = await openFetcher({ auth: 'bearer', env: { TASK_AUTH_SECRET: 'abc' } });
  onTestFinished(() => fetcher.close());
  await fetcher.fetch(new AbortController().signal)(server.url);
  expect([credentialsOf(server), credentialsOf(other)]).toEqual([['Bearer abc'], [undefined]]);
});
