import { realpath, stat } from 'node:fs/promises';
import { ioError, TaskpipeError } from '../../../../core/base/errors.ts';
import { mustBeWritable, PRIVATE, replaceFile } from '../../private-files.ts';
import { readSecretObject } from '../secret-file.ts';

/** Settings of `--oauth2 FILE`, by the names of RFC 6749. */
export interface OAuth2Settings {
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly clientSecret: string | undefined;
  /** Place of the secret: `basic` is the `Authorization` header, `post` the form. */
  readonly clientAuth: 'basic' | 'post' | 'none';
  /** Token for the grant `refresh_token`; undefined for `client_credentials`. */
  readonly refreshToken: string | undefined;
  /** Further parameters of the request: `scope`, `audience`, `resource` and the like. */
  readonly parameters: Readonly<Record<string, string>>;
}

/** Members of the file that are not parameters of the request. */
const OWN: ReadonlySet<string> = new Set([
  ...['token_url', 'client_id', 'client_secret', 'client_auth', 'refresh_token'],
]);

/** File of `--oauth2`, after it was read. */
export interface OAuth2File {
  readonly settings: OAuth2Settings;
  /** Path to store new refresh tokens at; undefined for a pipe, which can be read only once and stores nothing. */
  readonly place: string | undefined;
}

/** Opens `--oauth2 FILE`. @throws {TaskpipeError} `IO` if it cannot be read, `USAGE` if others can read it, or it is invalid */
export async function openOAuth2File(file: string): Promise<OAuth2File> {
  const place = await placeOf(file);
  const settings = await readOAuth2File(file);
  // A server may replace the refresh token; without a place to keep the new one, the next run could not log in.
  if (settings.refreshToken !== undefined && place !== undefined) await mustBeWritable('--oauth2', place);
  return { settings, place };
}

/** Returns the path of a file without links; undefined for a pipe, whose path in /dev/fd cannot be resolved. */
async function placeOf(file: string): Promise<string | undefined> {
  try {
    return (await stat(file)).isFile() ? await realpath(file) : undefined;
  } catch (error) {
    throw ioError('cannot read --oauth2', file, error);
  }
}

async function readOAuth2File(file: string): Promise<OAuth2Settings> {
  const members = await readSecretObject('--oauth2', file);
  const texts = new Map<string, string>();
  for (const [name, value] of Object.entries(members)) {
    if (typeof value !== 'string') throw fault(file, `${name} must be text`);
    texts.set(name, value);
  }
  const clientSecret = texts.get('client_secret');
  const clientAuth = texts.get('client_auth') ?? (clientSecret === undefined ? 'none' : 'basic');
  if (clientAuth !== 'basic' && clientAuth !== 'post' && clientAuth !== 'none')
    throw fault(file, 'client_auth must be basic, post or none');
  if (clientAuth !== 'none' && clientSecret === undefined)
    throw fault(file, `client_auth ${clientAuth} needs client_secret`);
  const refreshToken = texts.get('refresh_token');
  if (refreshToken === undefined && clientSecret === undefined)
    throw fault(file, 'must have client_secret, or refresh_token');
  return {
    tokenUrl: tokenUrl(file, texts.get('token_url')),
    clientId: texts.get('client_id') ?? missing(file, 'client_id'),
    ...{ clientSecret, clientAuth, refreshToken },
    parameters: Object.fromEntries([...texts].filter(([name]) => !OWN.has(name))),
  };
}

/** Returns the refresh token that the file has by now: another process may have replaced it. */
export async function latestRefreshToken(place: string): Promise<string | undefined> {
  return (await readOAuth2File(place)).refreshToken;
}

/** Stores a new refresh token in the file. @throws {TaskpipeError} `IO` */
export async function keepRefreshToken(place: string, token: string): Promise<void> {
  const members = { ...(await readSecretObject('--oauth2', place)), refresh_token: token };
  const text = `${JSON.stringify(members, null, 2)}\n`;
  await replaceFile(place, text, { mode: PRIVATE, lasting: true });
}

/** Checks the url of the token endpoint: secrets are sent there, so http is allowed only for this machine. */
function tokenUrl(file: string, text: string | undefined): string {
  if (text === undefined) return missing(file, 'token_url');
  const rule = 'token_url must be an https url, without user and password';
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw fault(file, rule);
  }
  const isHere = /^(localhost|127(\.\d+){3}|\[::1\])$/.test(url.hostname);
  if (url.username + url.password !== '') throw fault(file, rule);
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isHere)) throw fault(file, rule);
  return url.href;
}

function missing(file: string, name: string): never {
  throw fault(file, `must have ${name}`);
}

function fault(file: string, rule: string): TaskpipeError {
  return new TaskpipeError('USAGE', `--oauth2 ${file}: ${rule}`);
}
