import { count, duration, flag, path, text, value, values } from '../../core/options/declare.ts';
import type { LibraryOptions } from '../../core/options/library-options.ts';
import {
  InvalidValue,
  type Option,
  type OptionValues,
  optionName,
  parseOption,
} from '../../core/options/option.ts';
import { CONCEALED } from '../../core/options/secrets.ts';
import { compileTemplate } from '../../core/record/template.ts';
import type { Setting } from '../contract.ts';
import { authOptions } from './auth/auth-options.ts';
import { pageOptions } from './pages/page-options.ts';
import { cacheOptions } from './replay/cache-options.ts';
import { bodyOptions } from './request/body-options.ts';
import { METHODS, toMethod } from './request/build-request.ts';
import { answerOptions } from './response/answer-options.ts';
import { compileStatuses } from './response/expect.ts';
import { retryOptions } from './response/retry-options.ts';
import { quotaHeaderOptions } from './response/told-limits.ts';
import { nameOptions } from './transport/names/name-options.ts';
import { routeOptions } from './transport/routes/route-options.ts';

/** Default of `--timeout`, in milliseconds: 30 s. */
export const TIMEOUT = 30_000;

/** Default of `--max-body` for bodies in memory: 16 MiB. */
export const MAX_BODY: number = 16 * 1024 * 1024;

/** Default of `--max-body` for bodies that are decompressed into files: 1 GiB. */
const MAX_UNPACKED: number = 1024 * 1024 * 1024;

/** Default of `--max-retry-after`, in milliseconds: 1 h. */
export const MAX_AFTER = 3_600_000;

/** Help of `--http`, after its options. */
export const httpHelp: string = [
  'Each task is one request, made of these attributes of its record:',
  '  url\taddress; --url makes it of other attributes: {id} is the attribute "id", percent-encoded',
  `  method\t${METHODS.join(', ')} or any other; json is POST with a JSON body`,
  '  params\tquery that is added to the url: an object, its JSON text, or a=1&b=2',
  '  headers\theaders: an object, its JSON text, or a=1&b=2',
  '  json\tbody, sent as JSON',
  '  data\tbody if there is no "json": an object or a=1&b=2 is sent as a form, other text as it is',
  '  timeout\tseconds, or a duration such as 500ms',
  'GET, HEAD, OPTIONS and TRACE requests have a body only by --data, --form or --body-file.',
  'With --batch, tasks of one address, method and headers are one request: the body is an array of what --data makes of each, of their "json" or "data", or of the records.',
  'The result is {"status","url","type"}, with the body as "text", "json", "base64" or "file".',
].join('\n');

/** Options of `--http`; modules use them for `ctx.fetch`. */
export const httpOptions = {
  /** Url template with attributes, percent-encoded, such as `https://h/{id}`. Default: the attribute `url`. */
  url: value(
    'url template with attributes, percent-encoded, such as https://h/{id}',
    'TEMPLATE',
    toTemplate,
    {
      details:
        'A value cannot change the rest of the url: / and ? in it are encoded, and a value that is empty, . or .. makes the task fail. A value at the start is taken as it is: \'{page}\' is the url in "page". Without this option the attribute "url" is the address.',
    },
  ),
  /** Method of records without one, such as get, post, json or PROPFIND. Default `get`, with a body option `post`. */
  method: value('method of records without one', METHODS.join('|'), toMethod, {
    defaultText: 'get; post if there is --data, --form or --body-file',
    choices: METHODS,
    details:
      'The method json is a POST whose body is the attribute "json", else "data", as JSON. Any other name of a method may be given. Usual methods, also those of WebDAV, may be written in small letters; other names are sent as they are written, and need a capital.',
  }),
  ...bodyOptions,
  ...authOptions,
  // Its value is checked where it is read: an error message of parse() would show it, and it may be a secret.
  /** Headers, each `Name: value` or `@FILE`, a file with one per line. Headers of a record override them. */
  header: values(
    'send this header; @FILE has one per line, for secrets; may be repeated',
    "'K: V'|@FILE",
    String,
    {
      redact: (typed) => (typed.startsWith('@') ? typed : typed.replace(/(?<=:\s*)\S.*|^[^:]*$/s, CONCEALED)),
      details:
        'Headers of the record override these. A redirect to another origin gets only those that hold no secret: see --keep-header. Values are never shown in messages, reports or --print-curl. A command line is visible to other users of the machine, a file need not be.',
    },
  ),
  /** Maximum number of redirects to follow. Default 5; with 0, a redirect is the response. */
  follow: count('follow at most N redirects', {
    min: 0,
    default: 5,
    details: 'With 0, a redirect is the response that is judged, usually a failure: see --expect-status.',
  }),
  /** Names of headers that a redirect to another origin gets too. */
  keepHeader: values(
    'also send this header after a redirect to another origin; may be repeated',
    'NAME',
    toHeaderName,
    {
      details:
        'Accept, Accept-Language, Cache-Control, Content-Type, Range and User-Agent are always sent. Name a header with a secret only if you trust each server that may be redirected to.',
    },
  ),
  /** Statuses of success, such as `2xx,304,500-599`. Default `2xx`. */
  expectStatus: value('statuses of success, such as 2xx,304,500-599', 'LIST', toStatuses, {
    default: '2xx',
    details:
      'Any other status makes the task fail with HTTP_STATUS. --retry-status says which ones are retried.',
  }),
  /** Longest wait that a server may ask for, in milliseconds. Default 1 h. */
  maxRetryAfter: duration('longest wait that a server may ask for', {
    default: MAX_AFTER,
    defaultText: '1h',
    details:
      'A 429 or 503 pauses all requests to its host for as long as Retry-After or a RateLimit header says, at most this. Without such a header the pause doubles with each refusal, from the minimum of --backoff to its maximum. A rate limit with nothing left (RateLimit, RateLimit-Remaining, X-RateLimit-Remaining) pauses its host until it is reset, whatever the status.',
  }),
  ...retryOptions,
  ...quotaHeaderOptions,
  ...pageOptions,
  ...answerOptions,
  ...routeOptions,
  ...nameOptions,
  /** Value of the `User-Agent` header. Default `taskpipe`. */
  userAgent: text('value of the User-Agent header', { defaultText: 'taskpipe/VERSION' }),
  /** Obeys robots.txt. */
  robots: flag('fetch only what the robots.txt of each host allows', {
    details:
      'By RFC 9309, for the name at the beginning of the User-Agent. The file is read once for each origin, and counts for 24 hours. What it disallows fails with ROBOTS, without a request; so does a redirect to such a url. Crawl-delay slows down its host. If the file answers 4xx, everything is allowed; if it answers 5xx or cannot be reached, tasks are retried and then fail with ROBOTS.',
  }),
  /** Sends the uuid of the task as `Idempotency-Key`; all requests may then be retried. */
  idempotencyHeader: flag('send the uuid of the task as Idempotency-Key; POST requests are then retried too'),
  /** Cookie file in Netscape format; read at the start, written at the end. */
  cookies: path('keep cookies in this file, in the format of curl', {
    details: 'It is read at the start and written at the end of the run, readable only by its owner.',
  }),
  ...cacheOptions,
  /** Number of connection failures in a row after which a host is given up. */
  hostErrors: count('give up on a host after N connection failures in a row'),
  /** JMESPath of the items of an answer to a batch. Default: the answer itself. */
  batchAnswer: text(
    'with --batch: JMESPath of the items of the answer, in order or by their uuid or index, such as data',
    {
      placeholder: 'EXPR',
      details:
        'Its value is an array with an item for each task, with their uuids, with an index from 0 as in the answers of OpenAI, or in their order; or an object by uuid. An expression that leaves uuid and index out must keep the order: sort_by(data, &index)[].embedding. The item is the body of the result of its task. Without it, the answer itself is the array or the object.',
    },
  ),
  printCurl: flag('print each request as a curl command line to stderr, without secrets'),
};

/** Options that make a request of a record or judge its answer; `ctx.fetch` in a module does neither. */
export const TASK_HTTP_OPTIONS: readonly (keyof typeof httpOptions)[] = [
  ...(['url', 'expectStatus', 'expectJson', 'expectBody', 'body', 'bodyDir', 'headers'] as const),
  ...(['idempotencyHeader', 'maxRetryAfter', 'printCurl'] as const),
  ...(['data', 'form', 'bodyFile', 'retryStatus', 'noRetryStatus', 'redirects', 'followMeta'] as const),
  ...(['next', 'maxPages', 'batchAnswer', 'quotaHeaders'] as const),
];

/** Options of `http()` that the command does not have, or has in another form. */
interface OwnHttpOptions {
  /** Environment with `http_proxy` and related variables, and with those of logins, such as `TASK_AUTH_SECRET`. Default: empty. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /**
   * Maximum number of connections to one origin: at least as many as requests at once, since others wait. Default: as many as are
   * needed; a proxy always has these.
   */
  readonly connections?: number | undefined;
  /** Maximum number of tasks of one request; its body is an array. Default: each request is for one task. */
  readonly batch?: number | undefined;
  /** True if the stage limits what tasks cost, so that it follows the limits of `quotaHeaders`. */
  readonly followsLimits?: boolean | undefined;
  /** Called with each request as a curl command line. */
  readonly printCurl?: ((line: string) => void) | undefined;
  /** Called with messages for people, such as that a proxy rests, or that pages lead back to an earlier one. */
  readonly info?: ((message: string) => void) | undefined;
  /**
   * Timeout of each attempt, first to last byte, in milliseconds. Default 30 s; at most what a timer takes, 24
   * days. The `timeout` of a record overrides it.
   */
  readonly timeout?: number | undefined;
}

/** Options of the executor for HTTP. */
export type HttpOptions = LibraryOptions<typeof httpOptions, OwnHttpOptions>;

/** Returns the options from the values of the command line, the stage and the process. */
export function fromValues(
  values: OptionValues<typeof httpOptions> & { readonly batch?: number | undefined },
  { timeout, env, print, info, version }: Pick<Setting, 'timeout' | 'env' | 'print' | 'info' | 'version'>,
): HttpOptions {
  const { userAgent = `taskpipe/${version}`, printCurl } = values;
  return { ...values, userAgent, timeout, env, info, printCurl: printCurl ? print : undefined };
}

/** Returns the limits of bodies that go to files, in bytes. */
export function bodyLimits({ maxBody }: Pick<HttpOptions, 'maxBody'>): {
  readonly received: number;
  readonly unpacked: number;
} {
  return { received: maxBody ?? Number.POSITIVE_INFINITY, unpacked: maxBody ?? MAX_UNPACKED };
}

/** Checks a value given to the library as on the command line. @throws {TaskpipeError} `USAGE` */
export function checked(
  name: 'url' | 'method' | 'expectStatus' | 'retryStatus' | 'body' | 'bodyDir' | 'allowAddress' | 'resolver',
  value: string | undefined,
): string | undefined {
  if (value !== undefined) parseOption(httpOptions[name] as Option<unknown>, value, optionName(name));
  return value;
}

function toTemplate(typed: string): string {
  compileTemplate(typed);
  return typed;
}

/** Returns the names of `keepHeader` in lower case. */
export function keptHeaders({ keepHeader = [] }: HttpOptions): ReadonlySet<string> {
  return new Set(keepHeader.map((name) => toHeaderName(name).toLowerCase()));
}

function toHeaderName(typed: string): string {
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(typed))
    throw new InvalidValue('must be the name of a header, such as X-Tenant');
  return typed;
}

function toStatuses(typed: string): string {
  compileStatuses(typed);
  return typed;
}
