import { readFileSync, statSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { env } from 'node:process'; // the variables of AWS's tools
import { ioError, systemCode, TaskpipeError } from '../base/errors.ts';
import { quoted } from '../base/terminal-text.ts';
import { scrubbed } from '../options/secrets.ts';
import { privacyFault } from '../storage/file-privacy.ts';
import { AWS_ADVICE, type AwsCredentials, type AwsValues, credentialsIn, sectionOf } from './aws-profile.ts';

/** Server, region and credentials. */
export interface S3Login {
  /** Server; undefined for AWS itself. */
  readonly endpoint: URL | undefined;
  readonly region: string;
  readonly credentials: AwsCredentials;
}

/**
 * Returns the server, the region and the credentials, as the tools of AWS find them: in variables, else in the profile
 * `AWS_PROFILE` of `~/.aws/credentials` and `~/.aws/config`.
 * @throws {TaskpipeError} `USAGE` if there are no credentials, others can read their file, or the endpoint is invalid;
 *   `IO` if a file cannot be read
 */
export function s3Login(): S3Login {
  const profile = env.AWS_PROFILE || 'default';
  const [secrets, config] = [
    env.AWS_SHARED_CREDENTIALS_FILE || join(homedir(), '.aws/credentials'),
    env.AWS_CONFIG_FILE || join(homedir(), '.aws/config'),
  ];
  const settings = sectionOf(textOf(config), profile === 'default' ? profile : `profile ${profile}`);
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION || settings.REGION || 'us-east-1';
  const endpoint = env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL || settings.ENDPOINT_URL;
  const credentials =
    credentialsIn(env) ??
    credentialsIn(sectionOf(textOf(secrets), profile)) ??
    credentialsIn(settings) ??
    noCredentials(profile, secrets, [env, sectionOf(textOf(secrets), profile), settings]);
  if (credentialsIn(env) === undefined) for (const file of [secrets, config]) checkPrivate(file);
  return { endpoint: endpoint ? endpointOf(endpoint) : undefined, region, credentials };
}

/** Returns the text of a file; an empty one if there is none. @throws {TaskpipeError} `IO` */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return '';
    throw ioError('cannot read', path, error);
  }
}

/** @throws {TaskpipeError} `USAGE` if others can read a file with a secret */
function checkPrivate(path: string): void {
  if (!/^aws_secret_access_key/im.test(textOf(path))) return;
  const fault = privacyFault('the file of credentials', path, statSync(path));
  if (fault !== undefined) throw new TaskpipeError('USAGE', fault);
}

function noCredentials(profile: string, file: string, places: readonly AwsValues[]): never {
  for (const [i, values] of places.entries())
    checkBoth(values, i === 0 ? '' : ` in the profile ${quoted(profile)}`);
  const where = env.AWS_PROFILE ? `the profile ${quoted(profile)} of ${file} has none` : `${file} has none`;
  throw new TaskpipeError(
    'USAGE',
    `S3 needs credentials: the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set, and ${where}; ${AWS_ADVICE}`,
  );
}

/** @throws {TaskpipeError} `USAGE` if one half of the credentials is set */
function checkBoth(values: AwsValues, where: string): void {
  const [id, secret] = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'];
  if (!values[id] === !values[secret]) return;
  const [has, lacks] = values[id] ? [id, secret] : [secret, id];
  throw new TaskpipeError(
    'USAGE',
    `S3 needs credentials: ${has} is set${where}, but ${lacks} is not; ${AWS_ADVICE}`,
  );
}

function endpointOf(typed: string): URL {
  const url = URL.canParse(typed) ? new URL(typed) : undefined;
  const isPlain = url?.username === '' && url.password === '' && url.search === '' && url.hash === '';
  if (isPlain && /^https?:$/.test(url.protocol)) return url;
  throw new TaskpipeError(
    'USAGE',
    `AWS_ENDPOINT_URL must be a url such as https://s3.example.com; got ${quoted(scrubbed(typed))}`,
  );
}
