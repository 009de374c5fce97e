/* The manual and the source agree: error codes, states, messages, options. */
import { existsSync, readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMMON } from '../../src/cli/args/parse-args.ts';
import { commands } from '../../src/commands/index.ts';
import { kebab } from '../../src/core/options/option.ts';
import { pages, read } from '../support/pages.ts';
import { root } from '../support/run.ts';

/** Words in capitals that are not error codes, by kind. */
const OTHERS = new Set([
  ...[
    'PENDING',
    'RUNNING',
    'RETRYING',
    'SUCCESS',
    'FAILURE',
    'REVERTING',
    'REVERTED',
    'REVERT_FAILURE',
    'IGNORE',
    'PROGRESS',
  ],
  ...['SUSPENDING', 'SUSPENDED', 'RESUMING', 'EXECUTE', 'REVERT', 'REVERT_ALL', 'RETRY'],
  ...['PGHOST', 'PGPORT', 'PGUSER', 'PGDATABASE', 'PGPASSWORD', 'PGSERVICE', 'PGSSLMODE', 'PGSSLROOTCERT'],
  ...['PGSSLCERT', 'PGSSLKEY', 'PGCONNECT_TIMEOUT', 'PGAPPNAME', 'ISO', 'NULL', 'SQL_ASCII', 'UTC'],
  ...['ALL', 'NEIGHBORS', 'ATOM'], // the reach of a decider; FLOW is a code too
  ...['USAGE', 'DATA', 'IO', 'LOCKED', 'PIPE'], // codes of errors that end a stage
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT'],
  ...['DEBUG', 'INFO', 'WARN'],
  'OTHER', // further atoms of a report
  ...['EBADNAME', 'EFORMERR', 'ENOTFOUND'], // of DNS
  ...['SSL_CERT_FILE', 'TASK_AUTH_SECRET', 'TASK_KEY_PASSPHRASE'], // variables
  ...['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY'],
  ...['TRUE', 'FALSE', 'EOF', 'LZIP'], // LZIP: the beginning of a packed file
  ...['FORM', 'SINGLE'], // internal codes of answers for batches; users see ANSWER
  ...['TUNNEL_REFUSED', 'PROXY_UNAUTHORIZED', 'ADDRESS_DENIED', 'BAD_ANSWER'], // internal codes; users see CONNECTION and DENIED
  ...[
    'COUNT',
    'LPOS',
    'NX',
    'PX',
    'SET',
    'TIME',
    'UNKNOWN',
    'TASK_QUEUE',
    'NOPERM',
    'SENTINEL',
    'SETNAME',
    'WRONGTYPE',
  ], // of Redis
  ...[
    'DEL',
    'EXISTS',
    'HDEL',
    'HEXISTS',
    ...['HGETALL', 'HMGET', 'PEXPIRE', 'PTTL'],
    'HGET',
    'HINCRBY',
    'HINCRBYFLOAT',
    'LRANGE',
    'SISMEMBER',
    'SADD',
    'SREM',
    'ZRANGE',
    'HSET',
    'HSETNX',
    'OOM',
    'EXECABORT',
  ],
  ...[
    'TASK_NATS_PASSWORD',
    'TASK_REDIS_PASSWORD',
    'TASK_SENTINEL_PASSWORD',
    'TASK_UUID',
    'TASK_WORKER_NUMBER',
    'DISABLE_STREAM_HANDLER',
    'PATH',
    'HOME',
    'LANG',
    'OUT',
  ],
  ...[
    'FILE',
    'DIR',
    'TEXT',
    'SIZE',
    'DURATION',
    'LIST',
    'CMD',
    'RATE',
    'EXPR',
    'TEMPLATE',
    'NAME',
    'LEDGER',
    'CHAR',
    'HOST',
    'QUEUE',
    'PORT',
    'SQL',
    'TASK_UUID_VERSION',
  ],
  // Types and codecs of Parquet, and other words of formats.
  ...[
    'BROTLI',
    'BSON',
    'DATE',
    'DECIMAL',
    'ENUM',
    'FLOAT',
    'GZIP',
    'INTERVAL',
    'JSON',
    'MAP',
    'MAP_KEY_VALUE',
  ],
  ...['LZ', 'LZ_RAW', 'MICROS', 'MILLIS', 'NANOS', 'NFC', 'OPTIONAL', 'PARE', 'REPEATED', 'STRING', 'TIME'],
  ...['BOOLEAN', 'BYTE_ARRAY', 'DOUBLE', 'INTEGER'],
  ...['TIME_MICROS', 'TIME_MILLIS', 'TIMESTAMP', 'TIMESTAMP_MICROS', 'TIMESTAMP_MILLIS', 'UTF', 'UUID'],
]);

/** Returns all quoted words in capitals in folders of the source, except those of the system and of Node. */
function capitals(...folders: readonly string[]): Set<string> {
  const system = { ...constants.errno, ...constants.signals };
  const words = new Set<string>();
  for (const one of folders) {
    for (const file of readdirSync(join(root, 'src', one), { recursive: true }).map(String)) {
      if (!file.endsWith('.ts')) continue;
      const code = read(join('src', one, file)).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
      for (const [, word = ''] of code.matchAll(/'([A-Z]{2,}(?:_[A-Z]+)*)'/g))
        if (!(word in system) && !/^(ERR|UND_ERR|EAI|SQLITE)_/.test(word)) words.add(word);
    }
  }
  return words;
}

/** Returns the codes in the first column of a table under a heading. */
function codesUnder(heading: string, page: string): string[] {
  const [, section = ''] = read(page).split(new RegExp(`^## ${heading}$`, 'm'));
  const [own = ''] = section.split(/^## /m);
  return [...own.matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(([, code = '']) => code);
}

test('record.md and troubleshooting.md list every error code of the source, in alphabetical order', () => {
  const rejects = new Set(codesUnder('Rejects', 'docs/record.md'));
  const listed = codesUnder('Error codes', 'docs/record.md');
  expect(listed).toEqual([...new Set(listed)].sort());
  const source = capitals('executors', 'flow', 'savers', 'stages', 'loaders', 'queues', 'core');
  const codes = [...source].filter(
    (word) => listed.includes(word) || !(OTHERS.has(word) || rejects.has(word)),
  );
  expect(codes.sort()).toEqual(listed);
  expect(codesUnder('By error code', 'docs/troubleshooting.md')).toEqual(listed);
});

test('every message quoted in troubleshooting.md is in the source', () => {
  const sources = readdirSync(join(root, 'src'), { recursive: true }).map(String);
  const texts = sources.flatMap((file) => (file.endsWith('.ts') ? [read(join('src', file))] : []));
  const source = [...texts, read('bin/launch.js')].join();
  const page = read('docs/troubleshooting.md');
  const [, tables = ''] = /^### 65.*?\n(.*?)^### 75/ms.exec(page) ?? [];
  const [, messages = ''] = /^## By message\n(.*?)^## /ms.exec(page) ?? [];
  const rows = [...(messages + tables).matchAll(/^\| (`.*?) \|/gm)].map(([, cell = '']) => cell);
  expect(rows.length).toBeGreaterThan(30);
  const said = rows.flatMap((cell) =>
    [...cell.matchAll(/`([^`]+)`/g)].flatMap(([, words = '']) => words.split('…')),
  );
  expect(said.map((words) => words.trim()).filter((words) => !source.includes(words))).toEqual([]);
});

test('every source path in the manual exists', () => {
  const missing: string[] = [];
  for (const page of pages())
    for (const [, path = ''] of read(page).matchAll(/`((?:src|test|scripts|bin)\/[\w./-]+)`/g))
      if (!existsSync(join(root, path))) missing.push(`${page}: ${path}`);
  expect(missing).toEqual([]);
});

/** Options of other programs that the manual names. */
const FOREIGN = new Set([
  ...['unbuffered', 'line-buffered', 'additional-suffix', 'csv', 'password'], // jq, grep, split, sqlite3, any
  ...['global', 'dir', 'version', 'header', 'rows'], // npm, vitest, taskpipe's own scripts
  ...[
    'retry',
    'retry-connrefused',
    'retry-all-errors',
    'parallel-max',
    'max-time',
    'max-redirs',
    'fail',
    'json',
  ],
  ...['parallel', 'signal', 'headless', 'convert-to'], // curl, timeout, soffice
]);

test('every option in the manual exists', async () => {
  const known = new Set([...FOREIGN, 'concurrency'].map((name) => `--${name}`));
  for (const get of [...Object.values(commands), async () => ({ options: COMMON })])
    for (const key of Object.keys((await get()).options)) known.add(`--${kebab(key)}`);
  const wrong: string[] = [];
  for (const page of pages().filter((one) => !/coming-from|CONTRIBUTING|benchmarks/.test(one)))
    for (const [name] of read(page).matchAll(/(?<![\w-])--[a-z][a-z\d-]+/g))
      if (!known.has(name)) wrong.push(`${page}: ${name}`);
  expect(wrong).toEqual([]);
});

test('every option is described in a page besides the generated list', async () => {
  const text = pages()
    .filter((page) => page !== 'docs/options.md')
    .map(read)
    .join('\n');
  const missing: string[] = [];
  for (const get of Object.values(commands)) {
    const { name, options } = await get();
    for (const key of Object.keys(options))
      if (!new RegExp(`(?<![\\w-])--${kebab(key)}(?![\\w-])`).test(text))
        missing.push(`${name} --${kebab(key)}`);
  }
  expect(missing).toEqual([]);
});

test('record.md lists every code of rejects', () => {
  const [, union = ''] = /readonly code:([\s|'A-Z0-9]+);/.exec(read('src/core/text/lines.ts')) ?? [];
  const codes = [...union.matchAll(/'([A-Z0-9]+)'/g)].map(([, code = '']) => code);
  expect(codesUnder('Rejects', 'docs/record.md')).toEqual(codes.sort());
});

test('record.md lists every state, and troubleshooting.md every code of a TaskpipeError', () => {
  const [, states = ''] = /export type State = (.*);/.exec(read('src/core/record/task.ts')) ?? [];
  expect(codesUnder('States', 'docs/record.md').sort()).toEqual(
    [...states.matchAll(/'(\w+)'/g)].map(([, state]) => state).sort(),
  );
  const [, codes = ''] = /export type ErrorCode = (.*);/.exec(read('src/core/base/errors.ts')) ?? [];
  for (const [, code] of codes.matchAll(/'(\w+)'/g))
    expect(read('docs/troubleshooting.md')).toContain(`\`${code}\` (`);
});
