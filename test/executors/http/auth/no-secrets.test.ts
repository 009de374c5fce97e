/* A run with each kind of login leaves no secret in any stream or file: records, results, reports, events, caches. */
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { serve } from '../../../support/http-server.ts';
import { makeCertificates, needsOpenssl } from '../../../support/openssl.ts';
import { freshFolder, sh } from '../../../support/run.ts';
import { serveDigest } from './digest-server.ts';
import { serveTokens } from './token-server.ts';

interface Run {
  readonly options: string;
  readonly env?: Readonly<Record<string, string>>;
  /** Files with secrets, which the run may read. */
  readonly files?: Readonly<Record<string, string>>;
  readonly urls: readonly string[];
  readonly secrets: () => readonly string[];
  /** True to run the rest file too, with a report as a page. */
  readonly isLong?: boolean;
}

/** Returns the ways in which an account may be written. */
function spellings(user: string, password: string): string[] {
  return [password, Buffer.from(`${user}:${password}`).toString('base64'), encodeURIComponent(password)];
}

/** Runs a pipeline with all possible outputs, and returns the texts of its streams and files by name. */
async function everything({
  options,
  env = {},
  files = {},
  urls,
  isLong = false,
}: Run): Promise<Map<string, string>> {
  const cwd = freshFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text, { mode: 0o600 });
  const records = urls.map((url, i) => `${JSON.stringify({ uuid: `u${i}`, url })}\n`).join('');
  const http = `task-exec --http --retries 1 --backoff 1ms..2ms ${options}`;
  const again = isLong ? `${http} --report run.html < out.csv.rest.ndjson > again.out 2> again.err` : 'true';
  const streams = await sh(
    `tee >(${http} --dry-run --print-curl > dry.out 2> dry.err) |
     ${http} --print-curl --cache cache --cookies jar --headers --events events.ndjson --report run.json 2> exec.err |
     tee stream.ndjson | task-save out.csv 2> save.err; ${again}; wait`,
    { cwd, env, input: records },
  );
  const texts = new Map([['streams', streams.stdout + streams.stderr]]);
  for (const name of readdirSync(cwd, { recursive: true }).map(String)) {
    if (name in files || !statSync(join(cwd, name)).isFile()) continue;
    texts.set(name, `${name}\n${readFileSync(join(cwd, name), 'latin1')}`);
  }
  return texts;
}

async function mustHideSecrets(run: Run): Promise<void> {
  const texts = await everything(run);
  const [names, all] = [[...texts.keys()], [...texts.values()].join('\n')];
  for (const name of ['stream.ndjson', 'out.csv', 'out.csv.rest.ndjson', 'events.ndjson', 'run.json'])
    expect(names).toContain(name);
  expect(names.filter((name) => name.startsWith('cache/'))).not.toEqual([]);
  expect(all).toContain('HTTP_STATUS');
  expect(texts.get('exec.err')).toContain('curl ');
  expect(run.secrets().length).toBeGreaterThan(0);
  for (const secret of run.secrets())
    expect(
      names.filter((name) => texts.get(name)?.includes(secret)),
      secret.slice(0, 3),
    ).toEqual([]);
}

/** Serves an API that rejects each second path, and lets its other answers be cached. */
function api(): ReturnType<typeof serve> {
  return serve((response, { url }) => {
    response.setHeader('cache-control', 'max-age=1000');
    response.setHeader('etag', '"1"');
    response.writeHead(url.endsWith('bad') ? 500 : 200, { 'set-cookie': 'visit=1' }).end('{"ok":true}');
  });
}

test('--auth basic, --netrc and --logins', async () => {
  const server = await api();
  const there = server.url.replace('127.0.0.1', 'localhost');
  await mustHideSecrets({
    options: '--auth basic --netrc netrc --logins logins.json --auth-file secret',
    files: {
      netrc: `machine localhost login jo password zebra-net`,
      'logins.json': JSON.stringify({ [`127.0.0.1:${server.port}`]: { token: 'zebra-token' } }),
      secret: 'jo:zebra-file',
    },
    urls: [`${server.url}/a`, `${server.url}/bad`, `${there}/a`, `${there}/bad`],
    secrets: () => [...spellings('jo', 'zebra-net'), ...spellings('jo', 'zebra-file'), 'zebra-token'],
  });
  const used = new Set(server.seen.map(({ headers }) => headers.authorization));
  expect(used).toEqual(new Set(['Bearer zebra-token', `Basic ${spellings('jo', 'zebra-net')[1]}`]));
});

test('--auth digest', async () => {
  const [server, other] = [await serveDigest({ user: 'jo', password: 'zebra pw' }), await api()];
  await mustHideSecrets({
    options: '--auth digest',
    env: { TASK_AUTH_SECRET: 'jo:zebra pw' },
    urls: [`${server.url}/a`, `${other.url}/a`, `${other.url}/bad`],
    secrets: () => [
      ...spellings('jo', 'zebra pw'),
      ...server.seen.flatMap(
        ({ headers }) => /response="([^"]+)"/.exec(headers.authorization ?? '')?.[1] ?? [],
      ),
    ],
  });
});

test('--oauth2 with a refresh token, and a client certificate', async (context) => {
  await needsOpenssl(context);
  const certificate = await makeCertificates();
  const [server, other] = [await serveTokens({ rotates: true }), await api()];
  const settings = { token_url: `${server.url}/token`, client_id: 'me', client_secret: 'hush' };
  const key = readFileSync(certificate('locked.key'), 'utf8');
  await mustHideSecrets({
    options: '--oauth2 client.json --cert client.pem --key locked.key',
    env: { TASK_KEY_PASSPHRASE: 'secret' },
    files: {
      'client.json': JSON.stringify({ ...settings, refresh_token: 'first' }),
      'client.pem': readFileSync(certificate('client.pem'), 'utf8'),
      'locked.key': key,
    },
    urls: [`${server.url}/a`, `${other.url}/a`, `${other.url}/bad`],
    isLong: true,
    secrets: () => ['hush', ...server.tokens, key.split('\n')[1] as string, ...spellings('me', 'hush')],
  });
  expect(server.statuses).toContain(200);
});

test('--aws-sigv4', async () => {
  const server = await api();
  await mustHideSecrets({
    options: '--aws-sigv4 eu-west-1:s3',
    env: {
      AWS_ACCESS_KEY_ID: 'AKID',
      AWS_SECRET_ACCESS_KEY: 'zebra/secret',
      AWS_SESSION_TOKEN: 'zebra-session',
    },
    urls: [`${server.url}/a`, `${server.url}/bad`],
    secrets: () => [
      ...['zebra/secret', 'zebra-session'],
      ...server.seen.flatMap(({ headers }) => /Signature=(\w+)/.exec(headers.authorization ?? '')?.[1] ?? []),
    ],
  });
});
