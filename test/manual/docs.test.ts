/* What docs/ shows to type is typed here, and its tables of codes are those of the source. */
import { appendFileSync, chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { COMMON } from '../../src/cli/args.ts';
import { commands } from '../../src/commands/index.ts';
import { kebab } from '../../src/core/option.ts';
import { freshFolder, has, root, sh } from '../support/run.ts';
import { serve } from '../support/serve.ts';

const address = await serve();
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** Programs that not every machine has. A recipe that needs one that is not here is left out. */
const PROGRAMS = ['make', 'flock', 'jq', 'sqlite3', 'xargs', 'curl', 'parallel', 'split', 'pv'];

/** Stands for ssh, and scp: a server is a folder of its name. */
const SSH = `#!/bin/sh
mkdir -p "$HOME/$1" && cd "$HOME/$1" && shift && exec sh -c "$*"
`;
const SCP = `#!/bin/sh
shift
to=$(printf %s "$2" | sed "s#^\\(server[0-9]*\\):#$HOME/\\1/#")
from=$(printf %s "$1" | sed "s#^\\(server[0-9]*\\):#$HOME/\\1/#")
case $2 in server*:) mkdir -p "$to" ;; esac
exec cp "$from" "$to"
`;

function folder(): { cwd: string; env: Record<string, string> } {
  const cwd = freshFolder();
  const bin = join(cwd, 'stand-ins');
  mkdirSync(bin);
  for (const [name, text] of [
    ['ssh', SSH],
    ['scp', SCP],
  ] as const) {
    writeFileSync(join(bin, name), text);
    chmodSync(join(bin, name), 0o755);
  }
  return { cwd, env: { HOME: cwd, PATH: `${bin}:${root}bin:${process.env.PATH}` } };
}

test('every recipe runs as it stands', { timeout: 300_000 }, async () => {
  const { cwd, env } = folder();
  const blocks = [...read('docs/recipes.md').matchAll(/^```(sh|make)\n(.*?)^```/gms)];
  expect(blocks.length).toBeGreaterThan(15);
  const missing = await Promise.all(PROGRAMS.map(async (program) => ((await has(program)) ? '' : program)));
  let ran = 0;
  for (const [, kind, body = ''] of blocks) {
    const block = body.replaceAll('127.0.0.1:8080', address);
    if (kind === 'make') writeFileSync(join(cwd, 'Makefile'), block);
    else if (!missing.some((program) => program !== '' && new RegExp(`\\b${program}\\b`).test(block))) {
      const { code, stdout, stderr } = await sh(block, { cwd, env });
      expect([block, code, stdout, stderr]).toEqual([block, 0, stdout, stderr]);
      expect([block, stderr]).not.toEqual([
        block,
        expect.stringMatching(/not found|did you mean|a defect|No such/),
      ]);
      ran++;
    }
  }
  expect(ran).toBeGreaterThan(5);
  const linesOf = (name: string): number => readFileSync(join(cwd, name), 'utf8').trim().split('\n').length;
  if (!missing.includes('make')) {
    expect(linesOf('all.csv')).toBe(13);
    appendFileSync(join(cwd, 'a.csv'), `13,http://${address}/item/13,NY\n`);
    expect((await sh('make -j4', { cwd, env })).stderr).toMatch(/saved 1\n[\s\S]*saved 13\n/);
    expect(linesOf('all.csv')).toBe(14);
  }
  if (!missing.includes('flock')) expect([linesOf('nightly.csv'), linesOf('nightly.log')]).toEqual([13, 1]);
  expect([linesOf('servers.csv'), linesOf('remote.csv'), linesOf('pieces.csv')]).toEqual([13, 13, 13]);
});

/** Words in capitals that are no codes of errors, by what they are. */
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
  ],
  ...['SUSPENDING', 'SUSPENDED', 'RESUMING', 'EXECUTE', 'REVERT', 'REVERT_ALL', 'RETRY'],
  ...['ALL', 'NEIGHBORS', 'ATOM'], // how far a decider reaches; and FLOW, which is a code too
  ...['USAGE', 'DATA', 'IO', 'LOCKED', 'PIPE'], // of errors that end a stage
  ...['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'CONNECT'],
  ...['DEBUG', 'INFO', 'WARN'],
  ...['TRUE', 'FALSE', 'EOF'],
  ...['TUNNEL_REFUSED', 'ADDRESS_DENIED'], // marks between two files; people see CONNECTION and DENIED
  ...['COUNT', 'LPOS', 'NX', 'PX', 'SET', 'TIME', 'UNKNOWN', 'TASK_QUEUE'], // of Redis
  ...[
    'TASK_REDIS_PASSWORD',
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
  ],
]);

/** All words in capitals, between quotes, that a folder of the source has, but for those of the system and of Node. */
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

/** The codes in the first column of a table under a heading. */
function codesUnder(heading: string, page: string): string[] {
  const [, section = ''] = read(page).split(new RegExp(`^## ${heading}$`, 'm'));
  const [own = ''] = section.split(/^## /m);
  return [...own.matchAll(/^\| `([A-Z0-9_]+)` \|/gm)].map(([, code = '']) => code);
}

test('the record and the troubleshooting have every error code of the source, in the order of the alphabet', () => {
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

test('what troubleshooting says of messages is what the source says', () => {
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

test('the options that docs/ names do exist', async () => {
  const known = new Set(['--unbuffered', '--line-buffered']); // of jq and grep
  for (const get of [...Object.values(commands), async () => ({ options: COMMON })])
    for (const key of Object.keys((await get()).options)) known.add(`--${kebab(key)}`);
  for (const page of ['record', 'guarantees', 'troubleshooting']) {
    const named = read(`docs/${page}.md`).match(/(?<![\w-])--[a-z][a-z-]+/g) ?? [];
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  }
});

test('the record has every code of what is rejected', () => {
  const [, union = ''] = /readonly code: ((?:'[A-Z0-9]+'(?: \| )?)+);/.exec(read('src/core/lines.ts')) ?? [];
  const codes = [...union.matchAll(/'([A-Z0-9]+)'/g)].map(([, code = '']) => code);
  expect(codesUnder('Rejects', 'docs/record.md')).toEqual(codes.sort());
});

test('the record has every state, and troubleshooting every code of a TaskpipeError', () => {
  const [, states = ''] = /export type State = (.*);/.exec(read('src/core/task.ts')) ?? [];
  expect(codesUnder('States', 'docs/record.md').sort()).toEqual(
    [...states.matchAll(/'(\w+)'/g)].map(([, state]) => state).sort(),
  );
  const [, codes = ''] = /export type ErrorCode = (.*);/.exec(read('src/core/errors.ts')) ?? [];
  for (const [, code] of codes.matchAll(/'(\w+)'/g))
    expect(read('docs/troubleshooting.md')).toContain(`\`${code}\` (`);
});
