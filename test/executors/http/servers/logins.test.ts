/* Logins at third-party servers: nginx with client certificates and Basic, squid with Digest, and TLS of openssl. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { HttpOptions } from '../../../../src/executors/http/index.ts';
import { serve } from '../../../support/http-server.ts';
import { type Certificates, makeCertificates } from '../../../support/openssl.ts';
import { freePort } from '../../../support/port.ts';
import { isListening, squidDigest } from '../../../support/proxies.ts';
import { freshFolder, has, sh } from '../../../support/run.ts';
import { needsServer, startNginx } from '../../../support/web-servers.ts';
import { attempt, fetchOne, open } from '../support.ts';

const hasOpenssl = await has('openssl');
let files: Certificates;
beforeAll(async () => {
  if (hasOpenssl) files = await makeCertificates();
});

/** Options that trust the server, with a client certificate. */
const shown = (name: string, key = name): HttpOptions => ({
  ...{ cacert: files('ca.pem'), cert: files(`${name}.pem`), key: files(`${key}.key`) },
});

describe.skipIf(!hasOpenssl)('a client certificate', () => {
  test('is accepted by nginx, which reports a missing one and one of an unknown authority', async (context) => {
    await needsServer(context, 'nginx');
    const port = await freePort();
    await startNginx(`listen 127.0.0.1:${port} ssl;
      ssl_certificate ${files('server.pem')}; ssl_certificate_key ${files('server.key')};
      ssl_client_certificate ${files('ca.pem')}; ssl_verify_client on;
      location / { return 200 $ssl_client_s_dn; }`);
    const url = `https://127.0.0.1:${port}/`;
    expect((await fetchOne({ url }, { ...shown('client'), body: 'text' })).result?.text).toBe('CN=client');
    chmodSync(files('locked.key'), 0o600);
    const locked = { ...shown('client', 'locked'), env: { TASK_KEY_PASSPHRASE: 'secret' } };
    expect((await fetchOne({ url }, locked)).result).toMatchObject({ status: 200 });
    const { error, result, retry } = await fetchOne({ url }, { cacert: files('ca.pem') });
    expect([error?.message, retry]).toEqual(['400 Bad Request', undefined]);
    expect(result?.text).toContain('No required SSL certificate was sent');
    const strange = await fetchOne({ url }, shown('stranger'));
    expect(strange.error?.message).toBe('400 Bad Request');
    expect(strange.result?.text).toContain('The SSL certificate error');
  });

  test.each(['-tls1_2', '-tls1_3'])('that a server wants in the handshake (%s) is named', async (version) => {
    const port = await freePort();
    const server = ['-cert', files('server.pem'), '-key', files('server.key'), '-CAfile', files('ca.pem')];
    const strict = ['-Verify', '2', '-verify_return_error', '-www', '-quiet', version];
    const child = spawn('openssl', ['s_server', '-accept', String(port), ...server, ...strict], {
      stdio: 'ignore',
    });
    onTestFinished(() => void child.kill('SIGKILL'));
    await isListening(port, child);
    const url = `https://127.0.0.1:${port}/`;
    expect((await fetchOne({ url }, shown('client'))).result).toMatchObject({ status: 200 });
    const missing = await fetchOne({ url }, { cacert: files('ca.pem') });
    expect(missing.error).toEqual({
      code: 'TLS',
      message: expect.stringMatching(/alert .*; (perhaps )?it wants a client certificate \(--cert FILE\)$/),
    });
    const strange = await fetchOne({ url }, shown('stranger'));
    expect(strange.error).toEqual({
      code: 'TLS',
      message: expect.stringMatching(
        /alert unknown ca; it does not trust the authority of the client certificate \(--cert\)$/,
      ),
    });
    expect([missing.retry, strange.retry]).toEqual([undefined, undefined]);
  });
});

test('--auth basic and --netrc log in at nginx, which knows a hash of the password', async (context) => {
  await needsServer(context, 'nginx');
  if (!hasOpenssl) context.skip('openssl is not installed');
  const users = join(freshFolder(), 'users');
  const hash = execFileSync('openssl', ['passwd', '-apr1', '-stdin'], { input: 'p:ä s' });
  writeFileSync(users, `jo:${hash}`);
  const nginx = await startNginx(
    `location / { auth_basic "r"; auth_basic_user_file ${users}; try_files /a =404; }`,
  );
  writeFileSync(join(nginx.root, 'a'), 'in');
  const netrc = join(freshFolder(), 'netrc');
  writeFileSync(netrc, 'machine 127.0.0.1 login jo password "p:ä s"', { mode: 0o600 });
  const { url } = nginx;
  for (const options of [
    { auth: 'basic', env: { TASK_AUTH_SECRET: 'jo:p:ä s' } },
    { netrc },
  ] as HttpOptions[])
    expect((await fetchOne({ url }, options)).result).toMatchObject({ status: 200 });
  const wrong = await fetchOne({ url }, { auth: 'basic', env: { TASK_AUTH_SECRET: 'jo:hush' } });
  expect(wrong.error).toEqual({ code: 'HTTP_STATUS', message: '401 Unauthorized' });
  expect(nginx.requests().map((line) => line.split(' ')[2])).toEqual(['200', '200', '401']);
});

// Debian's nginx has no module for Digest; squid in front of a server asks for it.
test.skipIf(!(await has('squid')))(
  '--auth digest logs in at squid, also when its nonces are stale',
  async () => {
    const server = await serve((response, { method, body }) => response.end(`${method} ${body}`));
    const { host } = await squidDigest(server.port, ['Mufasa', 'Circle of Life'], 3);
    const env = { TASK_AUTH_SECRET: 'Mufasa:Circle of Life' };
    const executor = await open({ auth: 'digest', env, body: 'text' });
    for (let i = 0; i < 8; i++) {
      const { result } = await attempt(executor, { url: `http://${host}/a?b=${i}` });
      expect(result).toMatchObject({ status: 200, text: 'GET ' });
    }
    expect(server.seen).toHaveLength(8);
    const sent = await attempt(executor, { url: `http://${host}/`, method: 'put', data: 'x' });
    expect(sent.result).toMatchObject({ text: 'PUT x' });
    const wrong = { auth: 'digest', env: { TASK_AUTH_SECRET: 'Mufasa:hush' } } as const;
    expect((await fetchOne({ url: `http://${host}/` }, wrong)).error?.message).toMatch(/^401 Unauthorized/);
    const input = `${JSON.stringify({ uuid: 'a', url: `http://${host}/` })}\n`;
    const { code } = await sh('task-exec --http --auth digest --retries 0', { input, env });
    expect(code).toBe(0);
  },
);
