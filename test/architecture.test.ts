/* Design rules that no compiler checks. CONTRIBUTING.md and docs/architecture.md explain them. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { COMMON, variableOf } from '../src/cli/args/parse-args.ts';
import { commands } from '../src/commands/index.ts';
import { flag } from '../src/core/options/declare.ts';
import { kebab, type Options } from '../src/core/options/option.ts';
import { commandOptions } from '../src/executors/command/options.ts';
import { flowOptions } from '../src/executors/flow/options.ts';
import { httpOptions } from '../src/executors/http/options.ts';
import { moduleOptions } from '../src/executors/module/options.ts';
import { processOptions } from '../src/executors/program/options.ts';
import { workerOptions } from '../src/executors/worker/options.ts';
import { connectionOptions, serverOptions } from '../src/queues/options.ts';
import { execOptions, OWN_EXEC_OPTIONS } from '../src/stages/exec/exec-options.ts';
import { loadOptions, OWN_LOAD_OPTIONS } from '../src/stages/load/load-options.ts';
import { OWN_SAVE_OPTIONS, saveOptions } from '../src/stages/save/save-options.ts';
import { root } from './support/run.ts';

const src = join(root, 'src');
const files = readdirSync(src, { recursive: true })
  .map(String)
  .filter((name) => name.endsWith('.ts') && !name.startsWith('assembly/')); // another language
const texts = new Map(files.map((file) => [file, readFileSync(join(src, file), 'utf8')]));
const textOf = (file: string): string => texts.get(file) ?? '';
const codeOf = (file: string): string => textOf(file).replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
const roomOf = (file: string): string => file.split('/')[0] as string;

/** Imports of each file, type imports included, as paths below src. */
const imports = new Map(
  files.map((file) => [
    file,
    [...codeOf(file).matchAll(/(?:from|import\(|import)\s*'(\.[^']+\.ts)'/g)].map(([, target]) =>
      relative(src, join(src, dirname(file), target as string)),
    ),
  ]),
);

/** Returns pairs of a file and its import that a rule forbids. */
function forbidden(rule: (from: string, to: string) => boolean): string[] {
  return files.flatMap((from) =>
    (imports.get(from) ?? []).filter((to) => rule(from, to)).map((to) => `${from} -> ${to}`),
  );
}

/** Rooms that each room may import, besides itself. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  core: [],
  web: ['reports', 'serve'],
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

describe('imports', () => {
  test('follow the layers: cli, commands, stages, kinds, core', () => {
    expect(
      forbidden((from, to) => roomOf(from) !== roomOf(to) && !MAY_IMPORT[roomOf(from)]?.includes(roomOf(to))),
    ).toEqual([]);
  });

  test('have no cycles, type imports included', () => {
    expect(cycles()).toEqual([]);
  });

  test('reach a kind from commands only through index.ts, options.ts or contract.ts', () => {
    const kinds = ['ledgers', 'loaders', 'executors', 'savers', 'queues', 'reports'];
    const faces = ['index.ts', 'options.ts', 'contract.ts'];
    expect(
      forbidden(
        (from, to) =>
          roomOf(from) === 'commands' && kinds.includes(roomOf(to)) && !faces.includes(basename(to)),
      ),
    ).toEqual([]);
  });

  test('reach the tables of uuids only through core/ids/index.ts', () => {
    const isInside = (file: string): boolean => file.startsWith('core/ids/');
    expect(forbidden((from, to) => isInside(to) && !isInside(from) && basename(to) !== 'index.ts')).toEqual(
      [],
    );
  });

  test('do not lead from one kind of executor to another, except to shared parts', () => {
    const shared = ['program'];
    const kindOf = (file: string): string | undefined => /^executors\/([^/]+)\//.exec(file)?.[1];
    expect(
      forbidden((from, to) => {
        const [kind, other] = [kindOf(from), kindOf(to)];
        if (kind === undefined || other === undefined || kind === other) return false;
        const isFace = ['executors/http/fetch.ts', 'executors/http/options.ts'].includes(to); // ctx.fetch of a module
        return !shared.includes(other) && !isFace;
      }),
    ).toEqual([]);
  });
});

/** Returns groups of files that import each other (Tarjan's strongly connected components). */
function cycles(): string[][] {
  const found: string[][] = [];
  const stack: string[] = [];
  const index = new Map<string, number>();
  const low = new Map<string, number>();
  const visit = (file: string): void => {
    index.set(file, index.size);
    low.set(file, index.get(file) as number);
    stack.push(file);
    for (const to of imports.get(file) ?? []) {
      if (!index.has(to)) visit(to);
      if (stack.includes(to)) low.set(file, Math.min(low.get(file) as number, low.get(to) as number));
    }
    if (low.get(file) !== index.get(file)) return;
    const group = stack.splice(stack.indexOf(file));
    if (group.length > 1) found.push(group.sort());
  };
  for (const file of files) if (!index.has(file)) visit(file);
  return found;
}

describe('names and folders', () => {
  test('exported types have unique names', () => {
    const owners = new Map<string, string[]>();
    for (const file of files) {
      for (const [, name] of codeOf(file).matchAll(/export (?:type|interface|class) (\w+)\b(?! *\})/g))
        owners.set(name as string, [...(owners.get(name as string) ?? []), file]);
    }
    expect([...owners].filter(([, where]) => where.length > 1)).toEqual([]);
  });

  test('files have unique names, except index.ts, options.ts and contract.ts', () => {
    const names = files.map((file) => basename(file));
    const allowed = ['index.ts', 'options.ts', 'contract.ts'];
    expect(names.filter((name, i) => names.indexOf(name) !== i && !allowed.includes(name))).toEqual([]);
  });

  test('the top level has these folders and files, and nothing that a tool has left', () => {
    const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' }).trim().split('\n');
    const names = new Set(tracked.map((name) => name.split('/')[0]));
    expect([...names].sort()).toEqual([
      ...['.ci', '.editorconfig', '.github', '.gitignore', '.npmrc', 'CHANGELOG.md', 'CONTRIBUTING.md'],
      ...[
        'LICENSE',
        'README.md',
        'bin',
        'biome.json',
        'docs',
        'examples',
        'package-lock.json',
        'package.json',
      ],
      ...['scripts', 'src', 'test', 'tsconfig.json'],
    ]);
  });

  test('a folder has at most 14 files', () => {
    const counts = new Map<string, number>();
    for (const file of files) counts.set(dirname(file), (counts.get(dirname(file)) ?? 0) + 1);
    expect([...counts].filter(([, count]) => count > 14)).toEqual([]);
  });
});

test('each index.ts opens with three to ten lines about its folder', () => {
  const wrong = files.filter((file) => {
    if (basename(file) !== 'index.ts') return false;
    const comment = /^\/\*[\s\S]*?\*\//.exec(textOf(file))?.[0];
    const lines = comment?.split('\n').length ?? 0;
    return lines < 3 || lines > 10;
  });
  expect(wrong).toEqual([]);
});

/** Returns the files that load with a file: imports of values, not of types, and not `import()`. */
function loadedBy(file: string, seen: Set<string> = new Set()): Set<string> {
  if (seen.has(file)) return seen;
  seen.add(file);
  const imports = textOf(file).matchAll(/^(?:import|export)(?! type)[^;]*?from '(\.[^']+)';/gms);
  for (const [, target = ''] of imports) loadedBy(join(dirname(file), target), seen);
  return seen;
}

test('an HTTP stage loads code for logins, proxies, cookies, the cache and curl only if an option needs it', () => {
  const loaded = [...loadedBy('executors/http/index.ts')];
  expect(loaded).toContain('executors/http/open-client.ts');
  const lazy = [
    'auth/index',
    'transport/proxy',
    'transport/cookies',
    'transport/http-cache',
    'request/print-curl',
  ].map((name) => `executors/http/${name}.ts`);
  expect(lazy.filter((file) => !files.includes(file))).toEqual([]);
  expect(loaded.filter((file) => lazy.includes(file))).toEqual([]);
});

test('only cli uses process, and no file calls process.exit or console', () => {
  expect(files.filter((file) => roomOf(file) !== 'cli' && /\bprocess\./.test(codeOf(file)))).toEqual([]);
  // After the output is finished, user code may have left something open; and its `process.reallyExit` must exit.
  const ends = files.filter((file) => /process\.exit\(|console\./.test(codeOf(file)));
  expect(ends).toEqual(['cli/early-exit.ts', 'cli/guest/left-open.ts']);
});

test('each executable has a launcher, a command and an entry in package.json', async () => {
  const { bin } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const names = Object.keys(commands).sort();
  expect(readdirSync(join(root, 'bin')).sort()).toEqual(['launch.js', ...names]);
  expect(Object.keys(bin).sort()).toEqual(names);
  for (const [name, get] of Object.entries(commands)) expect((await get()).name).toBe(name);
});

/** Returns the variables from which several options of a table are read. */
function sharedVariables(table: Options): string[] {
  const variables = Object.entries(table).map(([key, option]) => variableOf(key, option));
  return variables.filter((variable, i) => variables.indexOf(variable) !== i);
}

test('no two options of a command share an environment variable', async () => {
  for (const get of Object.values(commands)) {
    const { name, options } = await get();
    expect(sharedVariables({ ...options, ...COMMON }), name).toEqual([]);
  }
});

test('the check finds two options that share an environment variable', () => {
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

/** Tables of stages and kinds that make up the options of a command. */
const TABLES = {
  'task-load': [loadOptions],
  'task-exec': [
    ...[execOptions, httpOptions, processOptions, commandOptions, workerOptions],
    ...[moduleOptions, flowOptions, connectionOptions],
  ],
  'task-save': [saveOptions],
  'task-queue': [connectionOptions, serverOptions],
} as const;

/** Options that the code of a command declares. */
function declaredIn(code: string): string[] {
  const kinds = 'flag|text|path|count|size|duration|choice|list|pairs|values?';
  return [...code.matchAll(new RegExp(`(\\w+): (?:\\{\\s*\\.\\.\\.)?(?:${kinds})(?:<[^(]*>)?\\(`, 'g'))].map(
    ([, name]) => name as string,
  );
}

/** Options of tables that the options of a command, or its code, declare again. */
function declaredAgain(tables: readonly Options[], options: Options, code: string): string[] {
  const shared = tables.flatMap((table) => Object.entries(table));
  const again = new Set(declaredIn(code));
  return shared.filter(([key, option]) => options[key] !== option || again.has(key)).map(([key]) => key);
}

test('an option of a stage or a kind is declared once, in its table, and not again by the command', async () => {
  for (const [name, tables] of Object.entries(TABLES)) {
    const own = files.filter((file) =>
      new RegExp(`^commands/(${name}\\.ts$|${name.replace('task-', '')}/)`).test(file),
    );
    expect(own, name).not.toEqual([]);
    const { options } = await commands[name as keyof typeof TABLES]();
    expect(declaredAgain(tables, options, own.map(codeOf).join('\n')), name).toEqual([]);
  }
});

test('a second declaration of an option is found', () => {
  const table = { jobs: flag(''), all: flag(''), rate: flag('') };
  expect(declaredAgain([table], table, '')).toEqual([]);
  expect(declaredAgain([table], { ...table, jobs: flag('') }, '')).toEqual(['jobs']);
  const code = "  all: flag(''),\n  rate: {\n    ...value<Rate>('', 'RATE', toRate) },\n  other: count(''),";
  expect(declaredAgain([table], table, code)).toEqual(['all', 'rate']);
});

test('the library takes the values of the command line, but for these options', () => {
  const both = (own: object, table: Options): string[] => Object.keys(own).filter((key) => key in table);
  expect(both(OWN_LOAD_OPTIONS, loadOptions)).toEqual([]);
  expect(both(OWN_EXEC_OPTIONS, execOptions)).toEqual(['dryRun', 'unfinished']); // functions, not files or text
  expect(both(OWN_SAVE_OPTIONS, saveOptions)).toEqual(['tee']);
});

test('options in help examples and services exist', async () => {
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
