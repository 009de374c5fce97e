/* Rules of the design that no compiler checks. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { expect, test } from 'vitest';
import { COMMON, variableOf } from '../src/cli/args/parse-args.ts';
import { commands } from '../src/commands/index.ts';
import { flag, kebab, type Options } from '../src/core/options/option.ts';
import { root } from './support/run.ts';

const src = join(root, 'src');
const files = readdirSync(src, { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.ts'));
const textOf = (file: string): string => readFileSync(join(src, file), 'utf8');
const roomOf = (file: string): string => file.split('/')[0] as string;

/** What each room may import, besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  ledgers: ['core'],
  loaders: ['core'],
  flow: ['core'],
  executors: ['core', 'flow'],
  savers: ['core', 'ledgers'],
  queues: ['core'],
  reports: ['core'],
  stages: ['core', 'ledgers', 'loaders', 'executors', 'savers', 'queues', 'reports'],
  serve: ['core', 'executors', 'savers'],
  commands: ['core', 'ledgers', 'loaders', 'executors', 'savers', 'queues', 'reports', 'stages', 'serve'],
  cli: ['core', 'commands'],
  'index.ts': ['core', 'flow', 'ledgers', 'loaders', 'executors', 'savers', 'queues', 'reports', 'stages'],
};

test('imports go one way: cli, commands, stages, kinds, core', () => {
  const wrong: string[] = [];
  for (const file of files) {
    for (const [, target] of textOf(file).matchAll(/(?:from|import\()\s*'(\.[^']+)'/g)) {
      const to = roomOf(relative(src, join(src, dirname(file), target as string)));
      if (to !== roomOf(file) && !MAY_IMPORT[roomOf(file)]?.includes(to)) wrong.push(`${file} imports ${to}`);
    }
  }
  expect(wrong).toEqual([]);
});

/** Files that a file loads when it is loaded itself: imports of values, not of types, and not `import()`. */
function loadedBy(file: string, seen: Set<string> = new Set()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const imports = textOf(file).matchAll(/^(?:import|export)(?! type)[^;]*?from '(\.[^']+)';/gms);
  for (const [, target = ''] of imports) loadedBy(join(dirname(file), target), seen);
  return seen;
}

test('an HTTP stage loads code for proxies, cookies, the cache and curl only if an option needs it', () => {
  const loaded = [...loadedBy('executors/http/index.ts')];
  expect(loaded).toContain('executors/http/open.ts');
  const lazy = ['proxy', 'cookies', 'cache', 'curl'].map((name) => `executors/http/${name}.ts`);
  expect(loaded.filter((file) => lazy.includes(file))).toEqual([]);
});

test('only cli touches the process, and nobody ends it or prints past its output', () => {
  const code = (file: string): string => textOf(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
  expect(files.filter((file) => roomOf(file) !== 'cli' && /\bprocess\./.test(code(file)))).toEqual([]);
  expect(files.filter((file) => /process\.exit\(|console\./.test(code(file)))).toEqual([]);
});

test('each executable has its launcher, its command and its place in package.json', async () => {
  const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const names = Object.keys(commands).sort();
  expect(readdirSync(join(root, 'bin')).sort()).toEqual(['launch.js', ...names]);
  expect(Object.keys(bin).sort()).toEqual(names);
  for (const [name, get] of Object.entries(commands)) expect((await get()).name).toBe(name);
});

/** Variables that several options of a table are read from. */
function sharedVariables(table: Options): string[] {
  const variables = Object.entries(table).map(([key, option]) => variableOf(key, option));
  return variables.filter((variable, i) => variables.indexOf(variable) !== i);
}

test('no two options of a command are read from the same environment variable', async () => {
  for (const get of Object.values(commands)) {
    const { name, options } = await get();
    expect(sharedVariables({ ...options, ...COMMON }), name).toEqual([]);
  }
});

test('two options that are read from the same environment variable are found', () => {
  const clash: Options = { maxLine: flag(''), other: flag('', { env: 'TASK_MAX_LINE' }), third: flag('') };
  expect(sharedVariables(clash)).toEqual(['TASK_MAX_LINE']);
  expect(sharedVariables({ uuid: flag('', { env: 'TASK_X' }), x: flag('') })).toEqual(['TASK_X']);
});

test('no option of a command hides a common one', async () => {
  for (const get of Object.values(commands)) {
    const { name, options } = await get();
    expect(
      Object.keys(options).filter((key) => key in COMMON),
      name,
    ).toEqual([]);
  }
});

test('the options that help examples and services name exist', async () => {
  const known = new Set(Object.keys(COMMON).map((key) => `--${kebab(key)}`));
  const lines: string[] = [];
  for (const get of Object.values(commands)) {
    const { options, examples } = await get();
    for (const key of Object.keys(options)) known.add(`--${kebab(key)}`);
    lines.push(...examples.map(([line]) => line));
  }
  const ours: string[] = [];
  for (const example of ['taskpipe-worker.service', 'compose.yaml'])
    ours.push(...readFileSync(join(root, 'examples', example), 'utf8').split('\n'));
  lines.push(...ours.filter((line) => /task-(load|exec|save|done|queue)|^- /.test(line)));
  for (const other of ['--unbuffered', '--global']) known.add(other);
  const named = lines.flatMap((line) => line.match(/(?<![\w-])--[a-z][a-z-]+/g) ?? []);
  expect([...new Set(named)].filter((name) => !known.has(name))).toEqual([]);
});
