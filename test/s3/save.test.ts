import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { keysIn } from '../../src/core/s3/s3-objects.ts';
import { textsIn } from '../../src/core/s3/s3-xml.ts';
import { type Ended, ended, freshFolder, sh, start } from '../support/run.ts';
import { hasSwift, needsS3, startS3, type TestS3 } from '../support/s3.ts';
import { NAMES, VALUES } from '../support/saved-values.ts';
import { until } from '../support/until.ts';

let server: TestS3;
beforeAll(async () => {
  if (!hasSwift) return;
  server = await startS3();
  await server.bucket('out');
}, 60_000);
beforeEach(needsS3);

const RUN = { state: 'SUCCESS', as: 'result', attempts: 1, at: '2024-01-01T00:00:00.000Z', ms: 5 };
const good = (uuid: string, more: object = {}): string => `${JSON.stringify({ uuid, ...more, run: RUN })}\n`;
const bad = (uuid: string, more: object = {}): string => {
  const error = { code: 'HTTP_STATUS', message: '500' };
  return `${JSON.stringify({ uuid, ...more, run: { ...RUN, state: 'FAILURE', error } })}\n`;
};

/** More than 1,000, the keys in an answer of a server. */
const MANY = 1010;

interface Saving {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
}

function save(
  prefix: string,
  input: string,
  options = '',
  { cwd = freshFolder(), env }: Saving = {},
): Promise<Ended> {
  return sh(`task-save 's3://out/${prefix}/' ${options}`, { cwd, input, env: server.env(env) });
}

/** Returns the texts of all objects of a prefix by the names that are left of their keys. */
async function objectsIn(prefix: string): Promise<ReadonlyMap<string, string>> {
  const keys = await server.keys('out', `${prefix}/`);
  const texts = keys.map(async (key) => {
    const { text } = await server.get(`out/${encodeURIComponent(key)}`);
    return [key.slice(prefix.length + 1), text] as const;
  });
  return new Map(await Promise.all(texts));
}

const uuidsIn = (file: string): readonly string[] =>
  [...readFileSync(file, 'utf8').matchAll(/"uuid":"([^"]*)"/g)].map(([, uuid]) => uuid as string);

describe('task-save to S3', { timeout: 60_000 }, () => {
  test('stores each record as an object, which task-load gives back', async () => {
    const lines = [
      ...VALUES.map((value, i) => `{"uuid":"v${i}","x":${value}}`),
      ...NAMES.filter((name) => !['uuid', 'run', 'result'].includes(name)).map(
        (name, i) => `{"uuid":"n${i}",${JSON.stringify(name)}:${i}}`,
      ),
    ];
    const input = lines.map((line) => `${line}\n`).join('');
    expect(await save('values', input)).toMatchObject({
      code: 0,
      stderr: expect.stringContaining(`saved ${lines.length}`),
    });
    const names = lines.map((line) => `${JSON.parse(line).uuid}.json`);
    expect(await objectsIn('values')).toEqual(
      new Map(names.sort().map((name) => [name, expect.any(String)])),
    );
    expect((await server.get('out/values/v0.json')).type).toBe('application/json');
    const places = lines.map((line) => `s3://out/values/${JSON.parse(line).uuid}.json`).join(' ');
    expect(await sh(`task-load ${places}`, { env: server.env() })).toMatchObject({ code: 0, stdout: input });
  });

  test('gives each uuid a different key, and recognizes it', async () => {
    const uuids = [
      'a/b',
      '..',
      '.',
      'a b',
      '%41',
      'A',
      'a',
      "x'()*!~",
      'ä🙂',
      '?#&+=',
      '\\',
      'é'.repeat(128),
    ];
    const cwd = freshFolder();
    const run = (more = ''): Promise<Ended> =>
      save('k ä+%/keys', uuids.map((uuid) => good(uuid)).join('') + more, '--ledger l.jsonl', { cwd });
    expect((await run()).code).toBe(0);
    const objects = await objectsIn('k ä+%/keys');
    expect([...objects.values()].map((text) => JSON.parse(text).uuid).sort()).toEqual(uuids.toSorted());
    expect([...objects.keys()]).toEqual(
      expect.arrayContaining(['a%2Fb.json', '...json', 'a%20b.json', '%2541.json']),
    );
    expect(await run(good('new'))).toMatchObject({ code: 0 }); // no object is missing
    expect((await objectsIn('k ä+%/keys')).size).toBe(uuids.length + 1);
  });

  test('reads the keys of a list as its server has encoded them', () => {
    const list = (more: string): ReadonlyMap<string, readonly string[]> =>
      textsIn(`<L xmlns="x">${more}<Contents><Key>p/a%2Fb+c.json</Key></Contents></L>`) as ReadonlyMap<
        string,
        readonly string[]
      >;
    expect(keysIn(list('<EncodingType>url</EncodingType>'))).toEqual(['p/a/b c.json']);
    expect(keysIn(list(''))).toEqual(['p/a%2Fb+c.json']);
  });

  test('replaces an object by a later record, but never a success by a failure', async () => {
    await save('later', bad('a') + good('b', { n: 1 }), '--all');
    const more =
      good('a') + bad('b', { n: 2 }) + good('c', { n: 1 }) + good('c', { n: 2 }) + bad('c', { n: 3 });
    expect((await save('later', more, '--all')).code).toBe(1);
    const objects = await objectsIn('later');
    expect(Object.fromEntries(objects)).toEqual({
      'a.json': good('a'),
      'b.json': good('b', { n: 1 }),
      'c.json': good('c', { n: 2 }),
    });
  });

  test('sends failures to the rest file, and removes them once they are saved', async () => {
    const cwd = freshFolder();
    expect((await save('my/rests', good('a') + bad('b'), '', { cwd })).code).toBe(1);
    expect(readFileSync(join(cwd, 's3+out+my+rests.rest.ndjson'), 'utf8')).toBe(bad('b'));
    expect((await save('my/rests', good('b'), '', { cwd })).code).toBe(0);
    expect(existsSync(join(cwd, 's3+out+my+rests.rest.ndjson'))).toBe(false);
  });

  test('keeps a rest file for each prefix, also if their last folders have one name', async () => {
    const cwd = freshFolder();
    await save('2026-11-28/pages', bad('a'), '', { cwd });
    expect((await save('2026-11-29/pages', good('a') + bad('b'), '', { cwd })).code).toBe(1);
    expect(readFileSync(join(cwd, 's3+out+2026-11-28+pages.rest.ndjson'), 'utf8')).toBe(bad('a'));
    expect(readFileSync(join(cwd, 's3+out+2026-11-29+pages.rest.ndjson'), 'utf8')).toBe(bad('b'));
  });

  test('saves the attributes of --fields, and passes records on once they are stored', async () => {
    const end = await save('fields', good('a', { n: 1.5, o: { k: 'x' } }), '--fields n,k=o.k --tee');
    expect(end.stdout).toBe(good('a', { n: 1.5, o: { k: 'x' } }));
    expect((await server.get('out/fields/a.json')).text).toBe('{"n":1.5,"k":"x"}\n');
  });

  test('keeps more tasks than a list of the server has', async () => {
    const cwd = freshFolder();
    const input = Array.from({ length: MANY }, (_, i) => good(`t${i}`, { i })).join('');
    expect((await save('many', input, '--ledger l.jsonl', { cwd })).code).toBe(0);
    expect((await server.keys('out', 'many/')).length).toBe(MANY);
    expect(new Set(uuidsIn(join(cwd, 'l.jsonl'))).size).toBe(MANY);
    // Fails if the start does not find all objects that the ledger names.
    expect(await save('many', good('t1'), '--ledger l.jsonl', { cwd })).toMatchObject({ code: 0 });
  });

  test.each<readonly [string, string, Readonly<Record<string, string>>, number, RegExp]>([
    ['a wrong secret key', 's3://out/x/', { AWS_SECRET_ACCESS_KEY: 'hush' }, 74, /secret key is wrong/],
    [
      'a lack of rights',
      's3://out/x/',
      { AWS_ACCESS_KEY_ID: 'test:guest', AWS_SECRET_ACCESS_KEY: 'visiting' },
      74,
      /s3:\/\/out\/x\/: .*need the right s3:ListBucket for out/,
    ],
    ['a bucket that is not there', 's3://nowhere/x/', {}, 74, /there is no bucket nowhere/],
    ['one object', 's3://out/x.csv', {}, 2, /end its name with a slash: task-save s3:\/\/out\/x\.csv\//],
    ['Parquet', 's3://out/x.parquet/', {}, 2, /Parquet is saved to a folder of this machine/],
    ['another format', 's3://out/x/ --format csv', {}, 2, /--format csv is for files/],
    ['--widen', 's3://out/x/ --widen', {}, 2, /--widen/],
    ['--overwrite', 's3://out/x/ --overwrite', {}, 2, /empty the prefix first: aws s3 rm/],
    ['--accept-edits', 's3://out/x/ --accept-edits', {}, 2, /--accept-edits needs --ledger/],
    ['--table', 's3://out/x/ --table t', {}, 2, /--table has no effect on s3/],
  ])('refuses %s', async (_, words, env, code, message) => {
    const end = await sh(`task-save ${words}`, { input: good('a'), env: server.env(env) });
    expect(end).toMatchObject({ code, stderr: expect.stringMatching(message) });
    expect(end.stderr).not.toMatch(/hush|testing|visiting/);
  });
});

describe('task-save to S3 with a ledger', { timeout: 60_000 }, () => {
  test('marks objects that a crash left unmarked, except failures', async () => {
    const cwd = freshFolder();
    await save('unmarked', good('a') + bad('b') + good('c'), '--all');
    await server.put('out/unmarked/notes.txt', 'of someone else');
    expect((await save('unmarked', '', '--ledger l.jsonl', { cwd })).code).toBe(0);
    expect(uuidsIn(join(cwd, 'l.jsonl')).toSorted()).toEqual(['a', 'c']);
  });

  test('reports objects that are gone, and forgets them with --accept-edits', async () => {
    const cwd = freshFolder();
    await save('edited', good('a') + good('b'), '--ledger l.jsonl', { cwd });
    await server.remove('out/edited/a.json');
    expect(await save('edited', '', '--ledger l.jsonl', { cwd })).toMatchObject({
      code: 65,
      stderr: expect.stringContaining('1 object is missing that the ledger l.jsonl names (uuid "a")'),
    });
    expect((await save('edited', '', '--ledger l.jsonl --accept-edits', { cwd })).code).toBe(0);
    expect((await sh('task-done list l.jsonl', { cwd })).stdout).toBe('b\n');
  });

  test.each<readonly [string, string, string]>([
    ['empty', '', 'it is empty'],
    ['garbage', 'garbage', 'not JSON'],
    ['a-list', '[]', 'expected a JSON object'],
    ['nameless', '{}', 'it has no uuid'],
    ['other', good('c'), 'it has another uuid'],
  ])('reports an object that is not the record of its task: %s', async (name, text, fault) => {
    const cwd = freshFolder();
    const prefix = `foreign-${name}`;
    await save(prefix, good('a') + good('b'));
    await server.put(`out/${prefix}/b.json`, text);
    const end = await save(prefix, bad('b'), '--ledger l.jsonl', { cwd });
    expect(end).toMatchObject({
      code: 65,
      stderr: expect.stringContaining(`s3://out/${prefix}/b.json (${fault}`),
    });
    const accepted = await save(prefix, bad('b'), '--ledger l.jsonl --accept-edits', { cwd });
    expect(accepted).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/accepted: the task runs again.*1 to s3\+out/s),
    });
    expect((await sh('task-done list l.jsonl', { cwd })).stdout).toBe('a\n');
    await save(prefix, good('b'), '--ledger l.jsonl --accept-edits', { cwd });
    expect(await objectsIn(prefix)).toEqual(
      new Map([
        ['a.json', good('a')],
        ['b.json', good('b')],
      ]),
    );
    expect((await sh('task-done list l.jsonl', { cwd })).stdout).toBe('a\nb\n');
  });

  test('marks objects without a uuid that --fields left out', async () => {
    const cwd = freshFolder();
    await save('unnamed', good('a', { n: 1 }), '--fields n');
    expect((await save('unnamed', '', '--fields n --ledger l.jsonl', { cwd })).code).toBe(0);
    expect(uuidsIn(join(cwd, 'l.jsonl'))).toEqual(['a']);
  });

  test('has each task once and right after kill -9 of ten runs', async () => {
    const cwd = freshFolder();
    const ledger = join(cwd, 'l.jsonl');
    const lines = Array.from({ length: 330 }, (_, i) => good(`k${i}`, { text: `ä${i}` }));
    const finished = (): ReadonlySet<string> => new Set(existsSync(ledger) ? uuidsIn(ledger) : []);
    for (let kills = 0; kills < 10; kills++) {
      const before = finished();
      const todo = lines.filter((line) => !before.has(JSON.parse(line).uuid));
      const child = start('exec task-save s3://out/killed/ --ledger l.jsonl --flush 5 --quiet', {
        cwd,
        env: server.env(),
      });
      const size = existsSync(ledger) ? readFileSync(ledger).length : 0;
      child.stdin?.on('error', () => {});
      child.stdin?.write(todo.slice(0, 30).join('')); // fewer than are left, and no end: it cannot finish
      await until(() => existsSync(ledger) && readFileSync(ledger).length > size);
      const end = ended(child);
      child.kill('SIGKILL');
      expect((await end).signal).toBe('SIGKILL');
      const there = await server.keys('out', 'killed/');
      for (const uuid of finished()) expect(there).toContain(`killed/${uuid}.json`);
    }
    const done = finished();
    expect(done.size).toBeLessThan(lines.length);
    const input = lines.filter((line) => !done.has(JSON.parse(line).uuid)).join('');
    expect((await save('killed', input, '--ledger l.jsonl', { cwd })).code).toBe(0);
    expect(await objectsIn('killed')).toEqual(
      new Map(lines.map((line) => [`${JSON.parse(line).uuid}.json`, line])),
    );
    expect(finished().size).toBe(lines.length);
  });

  test('waits for a server that is killed and started again', async () => {
    const cwd = freshFolder();
    const lines = Array.from({ length: 60 }, (_, i) => good(`s${i}`));
    const child = start('task-save s3://out/restarted/ --ledger l.jsonl --flush 10', {
      cwd,
      env: server.env(),
    });
    const end = ended(child);
    let told = '';
    child.stderr?.on('data', (text: string) => {
      told += text;
    });
    child.stdin?.write(lines.slice(0, 30).join(''));
    await until(() => existsSync(join(cwd, 'l.jsonl')) && uuidsIn(join(cwd, 'l.jsonl')).length >= 10);
    await server.kill();
    child.stdin?.end(lines.slice(30).join(''));
    await until(() => told.includes('trying again for 60 s'));
    await server.start();
    expect(await end).toMatchObject({
      code: 0,
      stderr: expect.stringContaining('s3://out: the server is back'),
    });
    expect((await server.keys('out', 'restarted/')).length).toBe(60);
    expect(new Set(uuidsIn(join(cwd, 'l.jsonl'))).size).toBe(60);
  });

  test('ends after --patience, and marks nothing that is not stored', async () => {
    const cwd = freshFolder();
    const child = start('task-save s3://out/away/ --ledger l.jsonl --flush 10 --patience 3s', {
      cwd,
      env: server.env(),
    });
    const end = ended(child);
    child.stdin?.write(Array.from({ length: 10 }, (_, i) => good(`a${i}`)).join(''));
    await until(() => existsSync(join(cwd, 'l.jsonl')) && uuidsIn(join(cwd, 'l.jsonl')).length === 10);
    await server.kill();
    child.stdin?.on('error', () => {});
    child.stdin?.end(Array.from({ length: 10 }, (_, i) => good(`b${i}`)).join(''));
    expect(await end).toMatchObject({
      code: 74,
      stderr: expect.stringMatching(
        /s3:\/\/out\/away\/b\d\.json: .*127\.0\.0\.1.*; gave up after 3 s \(--patience\); the same command continues/,
      ),
    });
    await server.start();
    expect(uuidsIn(join(cwd, 'l.jsonl')).toSorted()).toEqual(Array.from({ length: 10 }, (_, i) => `a${i}`));
  });

  test('lets several processes save to one prefix at once', async () => {
    const lines = (name: string): string =>
      Array.from({ length: 50 }, (_, i) => good(`${name}${i}`)).join('');
    const cwd = freshFolder();
    const ends = await Promise.all(
      ['p', 'q'].map((name) =>
        save('shared', lines(name) + lines('both'), `--ledger l.jsonl --rest ${name}.ndjson --flush 10`, {
          cwd,
        }),
      ),
    );
    expect(ends.map(({ code }) => code)).toEqual([0, 0]);
    expect((await server.keys('out', 'shared/')).length).toBe(150);
  });
});
