/* --netrc: the cases of curl's tests (their numbers are in the titles), and urls with a user. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { accountFor, parseNetrc } from '../../../../src/executors/http/auth/netrc.ts';
import { serve, serveTls, type TestServer } from '../../../support/http-server.ts';
import { freshFolder, sh } from '../../../support/run.ts';
import { attempt, fetchOne, open } from '../support.ts';
import { serveDigest } from './digest-server.ts';

function netrcFile(text: string): string {
  const file = join(freshFolder(), 'netrc');
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

const basic = (account: string): string => `Basic ${Buffer.from(account).toString('base64')}`;
const credentialsOf = ({ seen }: TestServer): (string | undefined)[] =>
  seen.map(({ headers }) => headers.authorization);
const answering = (): Promise<TestServer> => serve((response) => response.end('ok'));

/** Returns the `user:password` of the host `h` in a file; undefined if there is none. */
function found(text: string, user?: string): string | undefined {
  const account = accountFor(parseNetrc(text, '--netrc FILE'), 'h', false, user);
  return account && `${account.user}:${account.password}`;
}

const TWO = 'machine h login user1 password passwd1\nmachine h login user2 password passwd2\n';
const MACRO = 'macdef m\n\tcd default\n\tcd login\n\tput login.bin\n\tquit\n\nmachine h login u password p\n';
const SEVERAL = `
machine h
password weird
password firstone
login daniel

machine h

machine h
login debbie

machine h
password weird
password "second\\r"
login debbie
`;
const GENERIC =
  'machine h password firstthis login unknown\nmachine h password 5up\nmachine h password d1f login other\n';

test.each([
  ['a word each, in any lines', 'machine h\n\tlogin b\r\n\tpassword c', undefined, 'b:c'],
  ['the first entry of a host (682)', TWO, undefined, 'user1:passwd1'],
  ['the first of two users (682)', TWO, 'user1', 'user1:passwd1'],
  ['the second of two users (683, 131)', TWO, 'user2', 'user2:passwd2'],
  ['no user that begins like another (1304)', TWO, 'user', undefined],
  ['no password of another user (1646)', 'machine h login bob password sekret', 'alice', undefined],
  ['the last password of an entry, and entries with more of it (478)', SEVERAL, 'debbie', 'debbie:second\r'],
  ['the last password of an entry (478)', SEVERAL, undefined, 'daniel:firstone'],
  ['a password for any user (685)', GENERIC, 'user', 'user:5up'],
  ['a password without a user (684)', 'machine h password 5up', undefined, ':5up'],
  [
    'a password without a user before another entry (2005)',
    'machine h password 5up\nmachine x',
    undefined,
    ':5up',
  ],
  ['a user without a password (479)', 'machine x login a password b\ndefault login bob', undefined, 'bob:'],
  ['a default with nothing in it (486)', 'machine x login a password b\ndefault', undefined, undefined],
  ['the default for its own user', 'default login bob password p', 'bob', 'bob:p'],
  ['the default for no other user', 'default login bob password p', 'jo', undefined],
  [
    'quotes and escapes (679)',
    'machine h login "user one" password "a b \\"\\n\\r\\t\\a"',
    undefined,
    'user one:a b "\n\r\ta',
  ],
  ['a quoted word as no keyword', 'machine h "login" x login u password "password"', undefined, 'u:password'],
  ['keywords as values', 'machine h login password password macdef', undefined, 'password:macdef'],
  ['keywords in capitals', 'MACHINE H LOGIN u PassWord p', undefined, 'u:p'],
  ['macros, which are skipped (494)', MACRO, undefined, 'u:p'],
  [
    'comments (131) and no others',
    ' # machine h login y password z\nmachine h login b password c#d',
    undefined,
    'b:c#d',
  ],
  ['accounts, which are skipped', 'machine h account login login u password p', undefined, 'u:p'],
  ['a long line (744)', `machine h login u password ${'a'.repeat(5000)}`, undefined, `u:${'a'.repeat(5000)}`],
  ['an end in the middle', 'machine h login', undefined, undefined],
  ['a file of nothing else', 'machine', undefined, undefined],
])('a netrc file gives %s', (_, text, user, account) => {
  expect(found(text, user)).toBe(account);
});

test('a quote that is not closed is an error that does not show the text of the file (680)', async () => {
  const netrc = netrcFile('machine h login u password "hush');
  const error = await open({ netrc }).catch((thrown: Error) => thrown);
  expect(error).toMatchObject({ code: 'USAGE', message: `--netrc ${netrc}: a quote " is not closed` });
});

describe('--netrc', () => {
  test('gives each host its account, and all others the default account', async () => {
    const server = await answering();
    const netrc = netrcFile('machine 127.0.0.1 login jo password "p w"\ndefault login any password one\n');
    const executor = await open({ netrc });
    await attempt(executor, { url: server.url });
    await attempt(executor, { url: server.url.replace('127.0.0.1', 'localhost') });
    expect(credentialsOf(server)).toEqual([basic('jo:p w'), basic('any:one')]);
  });

  test('can come from a pipe', async () => {
    const server = await answering();
    const line = 'echo machine 127.0.0.1 login jo password pw';
    const { code } = await sh(`task-exec --http --netrc <(${line})`, {
      input: `{"uuid":"a","url":"${server.url}"}\n`,
    });
    expect(code).toBe(0);
    expect(credentialsOf(server)).toEqual([basic('jo:pw')]);
  });

  test('gives the password for the user of a url; a password in the url takes precedence (381)', async () => {
    const server = await answering();
    const netrc = netrcFile(
      'machine 127.0.0.1 login jo password p1\nmachine 127.0.0.1 login al password p2\n',
    );
    const executor = await open({ netrc });
    for (const user of ['al', 'jo', 'jo:own', 'stranger'])
      await attempt(executor, { url: server.url.replace('//', `//${user}@`) });
    const lines: string[] = [];
    const printCurl = (line: string): void => void lines.push(line);
    await fetchOne({ url: server.url.replace('//', '//al@') }, { netrc, printCurl });
    expect(lines.join()).toContain('--user "$LOGIN"');
    expect(lines.join()).not.toMatch(/authorization|p2/i);
    expect(credentialsOf(server).pop()).toBe(basic('al:p2'));
    const accounts = ['al:p2', 'jo:p1', 'jo:own', 'stranger:'];
    expect(credentialsOf(server).slice(0, 4)).toEqual(accounts.map(basic));
    await attempt(executor, { url: server.url.replace('//', '//al@'), headers: { authorization: 'Own x' } });
    expect(credentialsOf(server).at(-1)).toBe('Own x');
  });

  test('gives a user of a url its password also by Digest, and after a redirect within the origin', async () => {
    const digest = await serveDigest({ user: 'jo', password: 'p:w' });
    const netrc = netrcFile(
      'machine 127.0.0.1 login al password x\nmachine 127.0.0.1 login jo password p:w\n',
    );
    const lines: string[] = [];
    const options = { netrc, auth: 'digest', printCurl: (line: string) => void lines.push(line) } as const;
    const url = digest.url.replace('//', '//jo@');
    expect((await fetchOne({ url }, options)).result).toMatchObject({ status: 200 });
    expect(lines.join()).toContain('--digest --user "$LOGIN"');
    expect(lines.join()).not.toMatch(/authorization|p:w/i);
    const server = await serve((response, seen) => {
      if (seen.url === '/a') response.writeHead(302, { location: '/b' });
      response.end();
    });
    await fetchOne({ url: `${server.url.replace('//', '//jo@')}/a` }, { netrc });
    expect(credentialsOf(server)).toEqual([basic('jo:p:w'), basic('jo:p:w')]);
  });

  test('uses no default entry after a redirect to another origin', async () => {
    const secure = await serveTls((response) => response.end('ok'));
    const server = await serve((response) =>
      response.writeHead(302, { location: secure.url.replace('127.0.0.1', 'localhost') }).end(),
    );
    const netrc = netrcFile('machine 127.0.0.1 login a password b default login c password d');
    await fetchOne({ url: server.url }, { netrc, insecure: true });
    expect(credentialsOf(server)).toEqual([basic('a:b')]);
    expect(credentialsOf(secure)).toEqual([undefined]);
  });
});

test('--auth digest shows the password of a url in no other way after a redirect within the origin', async () => {
  const server = await serve((response, seen) => {
    if (seen.url === '/a') response.writeHead(302, { location: '/b' });
    else response.writeHead(401, { 'www-authenticate': 'Digest realm="r", nonce="n", qop="auth"' });
    response.end();
  });
  const url = `${server.url.replace('//', '//jo:pw@')}/a`;
  await fetchOne({ url }, { auth: 'digest', env: { TASK_AUTH_SECRET: 'other:one' } });
  const kinds = credentialsOf(server).map((value) => value?.split(' ')[0]);
  expect(kinds).toEqual([undefined, undefined, 'Digest']);
});
