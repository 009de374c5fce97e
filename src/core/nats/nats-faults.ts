import { messageOf, systemCode, TaskpipeError } from '../base/errors.ts';
import { scrubbed } from '../options/secrets.ts';
import { NATS_PASSWORD_VARIABLE, type NatsAddress } from './nats-address.ts';

/** Message of a connection that was closed. */
export const LOST = 'the connection was lost';
/** Message of a server that does not answer. */
export const SILENT = 'no answer';

/** Error that JetStream has answered. */
export class JetStreamError extends Error {
  /** Number of the error, for example 10077; 503 if no JetStream has heard the question. */
  readonly number: number;

  constructor(number: number, message: string) {
    super(message);
    this.number = number;
  }
}

/** Number of the error if JetStream is off, still starting, or lacks the stream. */
export const NOT_HEARD = 503;
export const NO_STREAM = 10_059;
/** A stream of this name has another configuration. */
export const NAME_TAKEN = 10_058;
/** Another stream has the subjects of a new one; or the same one, which another process makes at this moment. */
export const SUBJECTS_TAKEN = 10_065;
export const NO_CONSUMER = 10_014;
export const NO_MESSAGE = 10_037;
/** The stream has not stored a message: it is full, its disk is, or it has a message of the subject. */
const NOT_STORED = 10_077;
export const NO_JETSTREAM = 10_039;
/** The account has as many streams, or as many consumers, as it may have. */
const TOO_MANY: ReadonlySet<number> = new Set([10_026, 10_027]);
/** The last message of the subject is another one than expected. */
export const WRONG_LAST = 10_071;

/** Returns whether a message was not stored as there is one of its subject, and the stream keeps one. */
export function isSubjectTaken(error: unknown): boolean {
  return error instanceof JetStreamError && error.number === NOT_STORED && /per subject/.test(error.message);
}

/** Errors of JetStream that pass: a cluster without leader, or a server that starts. */
const PASSING: ReadonlySet<number> = new Set([NOT_HEARD, 10_008, 10_009, 10_005, 10_118]);

/** Returns whether another attempt may succeed. */
export function isPassing(error: unknown): boolean {
  if (error instanceof TaskpipeError) return false;
  if (error instanceof JetStreamError) return PASSING.has(error.number);
  return (
    !/uthoriz|uthentic|ermission|redentials|max_payload|InvalidArgument/.test(wordsOf(error)) &&
    !isTlsFault(error)
  );
}

function isTlsFault(error: unknown): boolean {
  return /CERT|certificate|self-signed|ALTNAME|altnames|ERR_SSL|ERR_TLS|ERR_OSSL|tls.*not available|secure/i.test(
    wordsOf(error),
  );
}

/** Returns the text of an error with those of its causes: the client wraps system errors. */
function wordsOf(error: unknown): string {
  const cause = (error as { cause?: unknown } | null)?.cause;
  const name = error instanceof Error ? error.name : '';
  const own = `${name} ${messageOf(error)} ${systemCode(error) ?? ''}`;
  return cause === undefined ? own : `${own} ${wordsOf(cause)}`;
}

/** Returns the error of a request or of the connection, with its reason and what to do. */
export function natsFault(error: unknown, address: NatsAddress): TaskpipeError {
  if (error instanceof TaskpipeError) return error;
  return new TaskpipeError('IO', scrubbed(`${address.place}: ${reasonOf(error, address)}`), { cause: error });
}

/** Patterns of errors, each with its meaning and remedy. */
const REASONS: readonly (readonly [RegExp, string])[] = [
  [/ECONNREFUSED|connection refused/, 'connection refused; is nats-server running there?'],
  [/ENOTFOUND|EAI_AGAIN/, 'no such host; is its name right?'],
  [
    /uthoriz|uthentic/,
    `wrong user, password or token; see ${NATS_PASSWORD_VARIABLE}, --password-file, and ?creds=FILE or ?nkey=FILE in the url`,
  ],
  [
    /ermission/,
    'the user lacks permissions: it must publish to $JS.API.>, $JS.ACK.> and taskpipe.>, and subscribe to _INBOX.> and taskpipe.>',
  ],
  [
    /parse credentials|seed|nkey/i,
    'the file of ?creds= or ?nkey= is not one that nsc or nk makes: a JWT with its seed, or a seed',
  ],
  [
    /altnames|ALTNAME/,
    'the certificate of the server has another name; give it with ?servername=NAME in the url',
  ],
  [
    /CERT|certificate|self-signed/i,
    'the certificate of the server is not trusted, or it wants a client certificate; see ?ca=FILE and ?cert=FILE&key=FILE in the url',
  ],
  [/not available on this server/, 'the server does not speak TLS; use nats:// to connect without it'],
  [/timeout|ETIMEDOUT|TimeoutError|no answer/i, 'no answer; is the address right, and the server alive?'],
  [
    /ECONNRESET|EPIPE|connection was lost|closed|disconnect/i,
    'the connection was lost; is it a NATS server, and is it up?',
  ],
];

/** Returns the meaning of an error, and its remedy. */
export function reasonOf(error: unknown, { place }: NatsAddress): string {
  if (error instanceof JetStreamError) return jetStreamReason(error);
  const words = wordsOf(error);
  if (error instanceof TaskpipeError) return error.message.replace(`${place}: `, '');
  return REASONS.find(([pattern]) => pattern.test(words))?.[1] ?? messageOf(error);
}

function jetStreamReason({ number, message }: JetStreamError): string {
  if (number === NOT_HEARD)
    return 'JetStream does not answer; start nats-server with -js, or with jetstream in its configuration';
  if (number === NO_STREAM || number === NO_CONSUMER)
    return `${message}: someone has deleted a stream of the queue; run the command again, which creates it again`;
  if (number === NO_JETSTREAM)
    return 'the account of this user has no JetStream; enable it in the configuration of the account, or use another user';
  if (TOO_MANY.has(number))
    return `${message}; a queue needs five streams, and each of its processes one consumer for a moment`;
  if (/resource|storage|maximum (bytes|messages)|no space/i.test(message))
    return `${message}; give JetStream and the streams of the queue more room, or let workers take tasks`;
  return `JetStream: ${message} (${number})`;
}
