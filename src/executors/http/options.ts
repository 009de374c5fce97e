import {
  count,
  flag,
  type Option,
  optionName,
  parseOption,
  path,
  Rule,
  size,
  text,
  type Values,
  value,
  values,
} from '../../core/option.ts';
import { compileTemplate } from '../../core/template.ts';
import { CONCEALED } from '../../core/typed.ts';
import type { Setting } from '../executor.ts';
import { toNetworks } from './addresses.ts';
import type { BodyMode } from './body.ts';
import { compileRegex, compileStatuses } from './expect.ts';
import { METHODS } from './request.ts';

/** What the executor for HTTP can be told. All of it may be left out. */
export interface HttpOptions {
  /** Makes the url of attributes, percent-encoded, as in `https://h/{id}`. Default: the attribute `url`. */
  readonly url?: string | undefined;
  /** The method of records that have none: one of get, post, put, patch, delete, head, options, json. Default `get`. */
  readonly method?: string | undefined;
  /** Headers, each `Name: value` or `@FILE`, a file with one a line. Those of a record beat them. */
  readonly header?: readonly string[] | undefined;
  /** How many redirects are followed. Default 5; 0 takes the redirect as the answer. */
  readonly follow?: number | undefined;
  /** The statuses of success, as in `2xx,304,500-599`. Default `2xx`. */
  readonly expectStatus?: string | undefined;
  /** A JMESPath expression that must be true of the body. */
  readonly expectJson?: string | undefined;
  /** What the body's text must match. */
  readonly expectBody?: RegExp | undefined;
  /** What becomes of the body. Default `auto`: by its content type. */
  readonly body?: BodyMode | undefined;
  /** Bodies become files in this folder. */
  readonly bodyDir?: string | undefined;
  /** The longest body in bytes, as it comes and unpacked. Default 16 MiB. */
  readonly maxBody?: number | undefined;
  /** Whether the result has the headers of the answer. */
  readonly headers?: boolean | undefined;
  /** The url of an HTTP proxy for all requests. */
  readonly proxy?: string | undefined;
  /** Where `http_proxy` and its like are looked up. Default: nowhere. */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  /** Trusts any certificate. */
  readonly insecure?: boolean | undefined;
  /** Connects to no address that is not of the public internet, redirects included. Not to be had with a proxy. */
  readonly denyPrivate?: boolean | undefined;
  /** What `denyPrivate` lets through all the same: addresses and networks, as in `10.1.0.0/16,::1`. */
  readonly allowAddress?: string | undefined;
  /** Default `taskpipe`. */
  readonly userAgent?: string | undefined;
  /** Sends `Idempotency-Key` with the task's uuid, and so may try every task again. */
  readonly idempotencyHeader?: boolean | undefined;
  /** A file of cookies in the format of Netscape; it is read, and written at the end. */
  readonly cookies?: string | undefined;
  /** The folder of a cache. */
  readonly cache?: string | undefined;
  /** Gives a host up after so many connection failures in a row. */
  readonly hostErrors?: number | undefined;
  /** Is given each task as a curl command line. */
  readonly printCurl?: ((line: string) => void) | undefined;
  /**
   * For each attempt, first to last byte, in milliseconds. Default 30 s; at most what a timer takes, 24 days.
   * A record's own `timeout` beats it.
   */
  readonly timeout?: number | undefined;
}

/** The default of `--timeout`, in milliseconds: 30 s. */
export const TIMEOUT = 30_000;

/** The default of `--max-body`: 16 MiB. */
export const MAX_BODY: number = 16 * 1024 * 1024;

const BODY_MODES: readonly BodyMode[] = ['auto', 'text', 'json', 'base64', 'none'];

type HttpOptionTable = {
  readonly url: Option<string | undefined>;
  readonly method: Option<string | undefined>;
  readonly header: Option<readonly string[]>;
  readonly follow: Option<number>;
  readonly expectStatus: Option<string>;
  readonly expectJson: Option<string | undefined>;
  readonly expectBody: Option<RegExp | undefined>;
  readonly body: Option<BodyMode>;
  readonly bodyDir: Option<string | undefined>;
  readonly maxBody: Option<number>;
  readonly headers: Option<boolean>;
  readonly proxy: Option<string | undefined>;
  readonly insecure: Option<boolean>;
  readonly denyPrivate: Option<boolean>;
  readonly allowAddress: Option<string | undefined>;
  readonly userAgent: Option<string | undefined>;
  readonly idempotencyHeader: Option<boolean>;
  readonly cookies: Option<string | undefined>;
  readonly cache: Option<string | undefined>;
  readonly hostErrors: Option<number | undefined>;
  readonly printCurl: Option<boolean>;
};

/** The options that belong to `--http` alone. */
export const httpOptions: HttpOptionTable = {
  url: value('make the url of attributes, percent-encoded, as in https://h/{id}', 'TEMPLATE', toTemplate),
  method: value('the method of records that have none', METHODS.join('|'), toMethod, {
    shown: 'get',
    choices: METHODS,
  }),
  // Checked where it is read: a message of parse() would show the value, which may be secret.
  header: values(
    'send this header; @FILE has one a line (for secrets); may be repeated',
    "'K: V'|@FILE",
    String,
    {
      shows: (typed) => (typed.startsWith('@') ? typed : typed.replace(/(?<=:\s*)\S.*|^[^:]*$/s, CONCEALED)),
    },
  ),
  follow: count('follow so many redirects at most', { min: 0, default: 5 }),
  expectStatus: value('the statuses of success, as in 2xx,304,500-599', 'LIST', toStatuses, {
    default: '2xx',
  }),
  expectJson: text('what must be true of the body, in JMESPath', { placeholder: 'EXPR' }),
  expectBody: value("what the body's text must match", '/RE/', compileRegex),
  body: value('what becomes of the body; auto goes by its content type', BODY_MODES.join('|'), toBodyMode, {
    default: 'auto' as BodyMode,
    choices: BODY_MODES,
  }),
  bodyDir: path('write bodies to files in this folder', { placeholder: 'DIR' }),
  maxBody: size('the longest body, as it comes and unpacked', { default: MAX_BODY, shown: '16MB' }),
  headers: flag('keep the headers of the answer in the result'),
  proxy: text('the HTTP proxy for all requests; default: http_proxy and its like', { placeholder: 'URL' }),
  insecure: flag('trust any certificate'),
  denyPrivate: flag('connect to no private or local address, redirects included'),
  allowAddress: value(
    'let these through --deny-private all the same, as in 10.1.0.0/16,::1',
    'LIST',
    toAddresses,
  ),
  userAgent: text('what to say we are', { shown: 'taskpipe/VERSION' }),
  idempotencyHeader: flag("send the task's uuid as Idempotency-Key, and try a POST again too"),
  cookies: path("keep cookies in this file, in curl's format"),
  cache: path('keep answers in this folder as long as HTTP allows', { placeholder: 'DIR' }),
  hostErrors: count('give a host up after so many connection failures in a row'),
  printCurl: flag('show each request as a curl command line on stderr, without secrets'),
};

/** What the options' values say, with what the stage and the process add. */
export function fromValues(
  values: Values<HttpOptionTable>,
  { timeout, env, tell, version }: Pick<Setting, 'timeout' | 'env' | 'tell' | 'version'>,
): HttpOptions {
  const { userAgent = `taskpipe/${version}`, printCurl } = values;
  return { ...values, userAgent, timeout, env, printCurl: printCurl ? tell : undefined };
}

/** A value of the library's user, checked as on the command line. @throws {TaskpipeError} `USAGE` */
export function checked(
  name: 'url' | 'method' | 'expectStatus' | 'body' | 'allowAddress',
  value: string | undefined,
): string | undefined {
  if (value !== undefined) parseOption(httpOptions[name] as Option<unknown>, value, optionName(name));
  return value;
}

function toTemplate(typed: string): string {
  compileTemplate(typed);
  return typed;
}

function toMethod(typed: string): string {
  const method = typed.toLowerCase();
  if (!METHODS.some((one) => one === method)) throw new Rule(`must be one of ${METHODS.join(', ')}`);
  return method;
}

function toStatuses(typed: string): string {
  compileStatuses(typed);
  return typed;
}

function toAddresses(typed: string): string {
  toNetworks(typed);
  return typed;
}

function toBodyMode(typed: string): BodyMode {
  const mode = BODY_MODES.find((one) => one === typed);
  if (mode === undefined) throw new Rule(`must be one of ${BODY_MODES.join(', ')}`);
  return mode;
}
