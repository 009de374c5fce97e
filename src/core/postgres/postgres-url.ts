import { TaskpipeError } from '../base/errors.ts';

/** Parts of the url of a database, decoded. */
export interface PostgresUrl {
  readonly host: string | undefined;
  readonly port: string | undefined;
  readonly database: string | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly query: URLSearchParams;
  /** Url without user, password and parameters, for messages. */
  readonly place: string;
}

const SHAPE = 'postgres://USER@HOST:PORT/DATABASE';

/** User and password, host, port, database and parameters. */
const PARTS =
  /^postgres(?:ql)?:\/\/(?:([^/?#]*)@)?(\[[^\]]+\]|[^/?#:@]*)(?::(\d*))?(?:\/([^?#]*))?(?:\?([^#]*))?(#.*)?$/is;

/** Takes a url apart, in the form of libpq. @throws {TaskpipeError} `USAGE` with the expected form */
export function postgresParts(typed: string): PostgresUrl {
  const found = PARTS.exec(typed);
  const [, login, host = '', port, database, parameters, hash] = found ?? [];
  const place = `postgres://${host}${port ? `:${port}` : ''}/${database ?? ''}`;
  if (found === null || host.includes(',')) throw notAUrl(typed, host);
  if (hash !== undefined)
    throw new TaskpipeError(
      'USAGE',
      `${place}: a ledger is named by ?ledger=NAME, as in ${place}?ledger=crawl`,
    );
  const [, user, password] = /^([^:]*)(?::(.*))?$/s.exec(login ?? '') ?? [];
  return {
    host: decoded(host.replace(/^\[|\]$/g, '')),
    port: port || undefined,
    database: decoded(database),
    user: decoded(user),
    password: decoded(password),
    query: new URLSearchParams(parameters),
    place,
  };
}

/** Decodes a part of a url. A lone `%` stands for itself. */
function decoded(part: string | undefined): string | undefined {
  if (part === undefined || part === '') return undefined;
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

function notAUrl(typed: string, host: string): TaskpipeError {
  if (host.includes(','))
    return new TaskpipeError('USAGE', `${SHAPE} names one host; got ${JSON.stringify(host)}`);
  const shown = typed.includes('@') ? '(not shown: it may have a password in it)' : JSON.stringify(typed);
  return new TaskpipeError(
    'USAGE',
    `the url of a database is ${SHAPE}, with special characters of the password as %XX; got ${shown}`,
  );
}
