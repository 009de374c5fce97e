/* --aws-sigv4 with keys of ~/.aws/credentials. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { serve } from '../../../support/http-server.ts';
import { freshFolder, sh } from '../../../support/run.ts';
import { fetchOne, open } from '../support.ts';

const FILE = `\ufeff# mine
[default]
aws_access_key_id = AKIDDEFAULT
aws_secret_access_key=hush/one=

[ work ]\r
aws_access_key_id=AKIDWORK   # a comment\r
aws_secret_access_key = hush-two\r
aws_session_token = hush-token\r
s3 =
  aws_access_key_id = AKIDNESTED
[sso]
sso_session = x
`;

/** Makes a home with this file. */
function home(text = FILE, mode = 0o600): string {
  const folder = freshFolder();
  mkdirSync(join(folder, '.aws'));
  writeFileSync(join(folder, '.aws/credentials'), text, { mode });
  return folder;
}

const own = { AWS_ACCESS_KEY_ID: 'AKIDENV', AWS_SECRET_ACCESS_KEY: 'hush' };

test.each([
  ['the profile default', {}, 'AKIDDEFAULT', undefined],
  ['the profile AWS_PROFILE', { AWS_PROFILE: 'work' }, 'AKIDWORK', 'hush-token'],
  ['variables before any profile', { ...own, AWS_PROFILE: 'work' }, 'AKIDENV', undefined],
])('--aws-sigv4 signs with %s', async (_, env, key, token) => {
  const server = await serve((response) => response.end('ok'));
  const input = `{"uuid":"a","url":"${server.url}"}\n`;
  const { code } = await sh('task-exec --http --aws-sigv4 eu-west-1:s3', {
    input,
    env: { HOME: home(), ...env },
  });
  expect(code).toBe(0);
  const headers = server.seen[0]?.headers;
  expect(headers?.authorization).toContain(`Credential=${key}/`);
  expect(headers?.['x-amz-security-token']).toBe(token);
});

test('--aws-sigv4 reads the file that AWS_SHARED_CREDENTIALS_FILE names', async () => {
  const server = await serve((response) => response.end('ok'));
  const env = { AWS_SHARED_CREDENTIALS_FILE: join(home(), '.aws/credentials') };
  await fetchOne({ url: server.url }, { awsSigv4: 'eu-west-1:s3', env });
  expect(server.seen[0]?.headers.authorization).toContain('Credential=AKIDDEFAULT/');
});

test.each([
  ['no file', { HOME: freshFolder() }, 'needs the variables AWS_ACCESS_KEY_ID'],
  ['no file for a profile', { HOME: freshFolder(), AWS_PROFILE: 'x' }, 'cannot read --aws-sigv4'],
  ['an unknown profile', { HOME: home(), AWS_PROFILE: 'x' }, 'for the profile "x"'],
  ['a profile without keys', { HOME: home(), AWS_PROFILE: 'sso' }, 'aws configure export-credentials'],
  ['a file that others can read', { HOME: home(FILE, 0o644) }, 'chmod 600 '],
])('--aws-sigv4 with %s says what to do, and shows no secret', async (_, env, words) => {
  const error = await open({ awsSigv4: 'eu-west-1:s3', env }).catch((thrown: Error) => thrown);
  expect((error as Error).message).toContain(words);
  expect((error as Error).message).not.toContain('hush');
});
