/* The package as npm makes it: its files, the reports of tools, and runs of the installed package. */
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, dirname, join, posix } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { startServer } from './pipes/pipeline.ts';
import { copyPackage, install, type Packed, pack } from './support/package.ts';
import { pages } from './support/pages.ts';
import { type Ended, root, sh } from './support/run.ts';

let packed: Packed;
/** Project in which the package is installed. */
let project: string;
beforeAll(async () => {
  packed = await pack();
  project = await install(packed.tarball);
}, 240_000);

test('the package contains only what users need', () => {
  const paths = packed.files.map(({ path }) => path);
  const allowed =
    /^(LICENSE|README\.md|CHANGELOG\.md|CONTRIBUTING\.md|package\.json|bin\/(task-[a-z]+|launch\.js)|dist\/.*(\.js|\.d\.ts|\.wasm|-style\.css)|(docs|examples|man)\/.+)$/;
  expect(paths.filter((path) => !allowed.test(path))).toEqual([]);
  expect(paths.filter((path) => /dist\/.*manual/.test(path))).toEqual([]); // the build makes the man pages
  expect(paths).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'dist/cli.js', 'dist/index.d.ts']));
  expect(packed.files.reduce((sum, { size }) => sum + size, 0)).toBeLessThan(3_900_000); // 550 KB of it are BullMQ, which as a dependency would install 7 packages
});

test('every file that a page of the package links is in the package', () => {
  for (const page of pages()) {
    const text = readFileSync(join(root, page), 'utf8');
    const links = [...text.matchAll(/\]\(([^)#:]+)(?:#[^)]*)?\)/g)].map(([, path = '']) =>
      posix.join(posix.dirname(page), path),
    );
    for (const link of links)
      expect([link, existsSync(join(project, 'node_modules/taskpipe', link))]).toEqual([link, true]);
  }
});

test('no dependency of users needs a newer Node or has an install script', () => {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  for (const [path, entry] of Object.entries<Locked>(packages)) {
    if (entry.dev === true) continue;
    const [, major = 0, minor = 0] = /^>= ?(\d+)(?:\.(\d+))?/.exec(entry.engines?.node ?? '') ?? [];
    const isOldEnough = Number(major) * 100 + Number(minor) <= 2019;
    expect(isOldEnough, `${path} needs ${entry.engines?.node}`).toBe(true);
    expect(entry.hasInstallScript, path).toBeUndefined();
  }
});

interface Locked {
  readonly dev?: boolean;
  readonly engines?: { readonly node?: string };
  readonly hasInstallScript?: boolean;
}

test('publint reports no problem', async () => {
  const { code, stdout, stderr } = await tool(`publint run '${packed.tarball}' --strict`);
  expect([code, stdout + stderr]).toEqual([0, expect.stringContaining('All good!')]);
});

test('attw finds the types of every entry point, for Node and for bundlers', async () => {
  const { code, stdout } = await tool(`attw '${packed.tarball}' --profile esm-only --format json`);
  const { entrypoints } = JSON.parse(stdout).analysis;
  expect([code, Object.keys(entrypoints)]).toEqual([0, ['.', './flow', './serve', './package.json']]);
});

for (const resolution of ['--module nodenext', '--module esnext --moduleResolution bundler']) {
  test(`a program that imports the package passes tsc ${resolution}, with every declaration of the package`, async () => {
    const cwd = join(project, 'types');
    mkdirSync(cwd, { recursive: true });
    for (const name of ['@types/node', 'undici-types']) copyPackage(project, `node_modules/${name}`);
    cpSync(join(root, 'test/support/consumer.ts'), join(cwd, 'consumer.ts'));
    writeFileSync(join(cwd, 'package.json'), '{"type":"module"}');
    const options = '--noEmit --strict --skipLibCheck false --types node --target es2023';
    const { code, stdout } = await tool(`tsc ${resolution} ${options} consumer.ts`, cwd);
    expect([code, stdout]).toEqual([0, '']);
  });
}

/** Output of smoke.sh after the version of Node: the count of the ledger, two rows per executor, the library. */
const SMOKE = [
  '2',
  ...['1,200', '2,200'], // --http
  ...['1,11', '2,22'], // --command
  ...['1,0.5', '2,1'], // --worker
  ...['1,2', '2,4'], // --module
  ...['1,3', '2,6'], // --threads
  ...['1,101', '2,102'], // --flow
  '2 saved, {"b":1}',
  'function, function',
  '',
];

/** Folders of other Nodes, separated as in PATH: .ci/run installs them. */
const others = (process.env.OTHER_NODES ?? '').split(delimiter).filter((folder) => folder !== '');
const nodes = new Map<string, string>();
for (const folder of [...others, dirname(process.execPath)]) {
  const { stdout } = await sh(`'${folder}/node' --version`);
  const [, major = '', minor] = /^v(\d+)\.(\d+)/.exec(stdout) ?? [];
  nodes.set(major === '20' && minor === '19' ? '20.19' : major, folder);
}

for (const version of new Set(['20.19', '22', '24', ...nodes.keys()])) {
  test(`the installed package runs on Node ${version}: pipeline, executors, flow, TypeScript, threads, library`, async (context) => {
    const folder = nodes.get(version);
    if (folder === undefined) return context.skip(`OTHER_NODES names no folder with Node ${version}`);
    const cwd = join(project, `on-${version}`);
    cpSync(join(root, 'test/support/smoke'), cwd, { recursive: true });
    const { url } = await startServer();
    const PATH = [folder, join(project, 'node_modules/.bin'), process.env.PATH].join(delimiter);
    const { code, stdout, stderr } = await sh('./smoke.sh', { cwd, env: { PATH, URL: url } });
    expect([code, stderr]).toEqual([0, '']);
    const [printed, ...results] = stdout.split('\n');
    expect(printed).toMatch(`v${version}.`);
    expect(results).toEqual(SMOKE);
  });
}

/** Runs a tool of this project. */
function tool(command: string, cwd?: string): Promise<Ended> {
  return sh(`'${root}node_modules/.bin/'${command}`, cwd === undefined ? {} : { cwd });
}
