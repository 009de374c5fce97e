import { messageOf, systemCode, TaskpipeError } from '../base/errors.ts';
import { escapeControls } from '../base/terminal-text.ts';
import { scrubbed } from '../options/secrets.ts';
import { AWS_ADVICE } from './aws-profile.ts';
import type { S3Answer, S3Request } from './contract.ts';
import { textsIn } from './s3-xml.ts';

/** Refusal of a request by the server. */
export class S3Error extends Error {
  readonly status: number;
  /** Code of the error, as in `NoSuchBucket`; of an answer without one, `HTTP` and its status. */
  readonly code: string;
  /** Region that the server names; empty if it names none. */
  readonly region: string;

  constructor(status: number, code: string, message: string, region: string) {
    super(message);
    this.status = status;
    this.code = code;
    this.region = region;
  }
}

/** Returns the refusal in an answer. */
export async function refusalIn({ status, headers, body }: S3Answer): Promise<S3Error> {
  const texts = textsIn(await body.text());
  const get = (name: string): string => texts?.get(name)?.[0] ?? '';
  const code = get('Code') || `HTTP ${status}`;
  return new S3Error(status, code, get('Message'), String(headers['x-amz-bucket-region'] ?? get('Region')));
}

/** Returns whether the server has refused a request with one of these codes or statuses. */
export function isRefusal(error: unknown, ...codes: readonly (string | number)[]): boolean {
  return error instanceof S3Error && (codes.includes(error.code) || codes.includes(error.status));
}

/** Returns the error of a body that ended before its last byte. */
export function cutShort(): Error {
  return Object.assign(new Error('the body ended early'), { code: 'UND_ERR_SOCKET' });
}

/** Codes of refusals that pass, whatever their status is. */
const PASSING: ReadonlySet<string> = new Set([
  ...['RequestTimeout', 'SlowDown', 'Throttling', 'RequestLimitExceeded', 'OperationAborted'],
  'ConditionalRequestConflict',
]);

/** Errors of the network that pass. Undici's begin with `UND_ERR_`: a lost connection, no answer, a body cut short. */
const LOST =
  /^(?:ECONN(?:REFUSED|RESET|ABORTED)|EPIPE|ETIMEDOUT|E(?:HOST|NET)UNREACH|EAI_AGAIN|UND_ERR_(?:SOCKET|\w*TIMEOUT|RES_CONTENT_LENGTH_MISMATCH))$/;

/** Returns whether another attempt may succeed. */
export function isPassing(error: unknown): boolean {
  if (!(error instanceof S3Error)) return LOST.test(systemCode(error) ?? '');
  return error.status === 429 || (error.status >= 500 && error.status !== 501) || PASSING.has(error.code);
}

/** Returns whether a server did not answer in time. */
export function isTimeout(error: unknown): boolean {
  return /TIMEOUT|ETIMEDOUT/.test(systemCode(error) ?? '');
}

/** Statuses of refusals that are not about the object: of credentials, rights, the bucket, conditions and the rate. */
const OF_ALL: ReadonlySet<number> = new Set([401, 403, 404, 408, 409, 412, 429]);

/** Returns whether the server refuses one object, and may store others: one that is too large, for example. */
export function isAboutObject(error: unknown): boolean {
  if (!(error instanceof S3Error) || isPassing(error)) return false;
  const { status, code } = error;
  if (status < 400 || status > 499 || OF_ALL.has(status)) return false;
  return !ELSEWHERE.has(code) && !((ALIKE[code] ?? code) in REMEDIES) && !code.startsWith('KMS.');
}

/** Server and bucket of a request. */
interface Asked {
  readonly bucket: string;
  /** Origin of the server, for messages. */
  readonly server: string;
  readonly request: Pick<S3Request, 'method' | 'key' | 'query'>;
}

/** Returns the error of a request, with its reason and what to do. */
export function s3Fault(error: unknown, asked: Asked): TaskpipeError {
  if (error instanceof TaskpipeError) return error;
  const reason = error instanceof S3Error ? refusalReason(error, asked) : networkReason(error, asked);
  const { key, query } = asked.request;
  const place = `s3://${asked.bucket}/${key || (query?.prefix ?? '')}`;
  return new TaskpipeError('IO', escapeControls(scrubbed(`${place}: ${reason}`)), { cause: error });
}

function networkReason(error: unknown, { server }: Asked): string {
  const [code, words] = [systemCode(error) ?? '', messageOf(error)];
  if (code === 'ECONNREFUSED') return `nothing listens at ${server}; is AWS_ENDPOINT_URL right?`;
  if (/ENOTFOUND|EAI_AGAIN/.test(code))
    return `the host of ${server} is not known; are AWS_ENDPOINT_URL and AWS_REGION right?`;
  if (isTimeout(error)) return `no answer from ${server}`;
  if (/^ECONN|EPIPE|UND_ERR_SOCKET|MISMATCH/.test(code)) return `the connection to ${server} was lost`;
  if (/CERT|SELF_SIGNED|ALTNAME|VERIFY/.test(code))
    return `the certificate of ${server} is not trusted (${words}); name its authority with NODE_EXTRA_CA_CERTS=FILE`;
  if (/wrong.version.number|packet.length.too.long/i.test(`${code} ${words}`))
    return `${server} does not speak TLS; is http:// meant in AWS_ENDPOINT_URL?`;
  return `${server}: ${words}`;
}

/** Remedies of refusals, by their code. */
const REMEDIES: Readonly<Record<string, (asked: Asked) => string>> = {
  NoSuchBucket: ({ bucket, server }) =>
    `there is no bucket ${bucket} at ${server}; make it with: aws s3 mb s3://${bucket}`,
  NoSuchKey: ({ bucket, request }) =>
    `there is no such object; to see what is there: aws s3 ls s3://${bucket}/${request.key.replace(/[^/]*$/, '')}`,
  AccessDenied: ({ bucket, request: { method, key } }) => {
    const right = method === 'PUT' ? 'PutObject' : key === '' ? 'ListBucket' : 'GetObject';
    return `access denied; these credentials need the right s3:${right} for ${bucket}`;
  },
  InvalidAccessKeyId: ({ server }) =>
    `${server} does not know the access key; check AWS_ACCESS_KEY_ID or AWS_PROFILE`,
  SignatureDoesNotMatch: () =>
    'the secret key is wrong; check AWS_SECRET_ACCESS_KEY or AWS_PROFILE, and AWS_REGION',
  RequestTimeTooSkewed: () =>
    "the clock of this machine differs from the server's by more than it allows; set it, as with: timedatectl set-ntp true",
  ExpiredToken: () => `the credentials have expired; ${AWS_ADVICE}`,
  InvalidObjectState: () => 'the object is archived; restore it first: aws s3api restore-object',
};

/** Codes that tell the same as another one. */
const ALIKE: Readonly<Record<string, string>> = {
  InvalidToken: 'ExpiredToken',
  TokenRefreshRequired: 'ExpiredToken',
  AllAccessDisabled: 'AccessDenied',
};

/** Codes of a bucket in another region. */
const ELSEWHERE: ReadonlySet<string> = new Set([
  ...[
    'PermanentRedirect',
    'TemporaryRedirect',
    'AuthorizationHeaderMalformed',
    'IllegalLocationConstraintException',
  ],
  ...['HTTP 301', 'HTTP 307'],
]);

/** Statuses that a proxy before a server of S3 gives, too: of sizes, and of the rate. */
const OF_PROXIES: ReadonlySet<number> = new Set([413, 414, 429]);

/** Returns whether the server may not be one of S3. */
function isForeign({ status, code }: S3Error): boolean {
  return code === `HTTP ${status}` && status < 500 && !OF_PROXIES.has(status);
}

function refusalReason(error: S3Error, asked: Asked): string {
  const { code, message, region } = error;
  const told = message === '' ? code : `${code}: ${message}`;
  if (ELSEWHERE.has(code))
    return region === ''
      ? `the bucket is in another region (${told}); set AWS_REGION`
      : `the bucket is in the region ${region}; set AWS_REGION=${region}`;
  const remedy = REMEDIES[ALIKE[code] ?? code]?.(asked);
  if (remedy !== undefined) return `${remedy} (${told})`;
  const { server } = asked;
  return isForeign(error)
    ? `${server} answers ${told} without an error of S3; is AWS_ENDPOINT_URL right?`
    : `the server answers ${told}`;
}
