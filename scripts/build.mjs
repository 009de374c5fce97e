// Builds dist/: the commands and the library, bundled so that each command loads only what it needs, and their types;
// and man/: the man pages, where man(1) finds them for a `bin` on the PATH beside it.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { joinChunks } from './join-chunks.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

rmSync(`${root}dist`, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: {
    cli: 'src/cli/main.ts',
    index: 'src/index.ts',
    flow: 'src/flow/index.ts',
    serve: 'src/serve/index.ts',
    watchdog: 'src/cli/guest/watchdog-thread.ts',
    thread: 'src/executors/module/threads/thread.ts',
  },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  plugins: [
    {
      name: 'bullmq is part of the package',
      setup: ({ onResolve }) =>
        onResolve({ filter: /^bullmq$/ }, () => ({ path: './bullmq-vendor.js', external: true })),
    },
  ],
  define: { TASKPIPE_VERSION: JSON.stringify(version) },
  logLevel: 'warning',
});
await joinChunks(`${root}dist`);
await buildBullmq();
await compileAssembly();
// The pages of a report and of task-serve: their styles and scripts, with the licence of the library that
// draws plots.
const licence = readFileSync(new URL('../node_modules/uplot/LICENSE', import.meta.url), 'utf8').trim();
await build({
  absWorkingDir: root,
  entryPoints: {
    'report-page': 'src/web/report/report-page.ts',
    'report-page-style': 'src/web/report/report-page.css',
    'serve-page': 'src/web/service/service-page.ts',
    'serve-page-style': 'src/web/service/service-page.css',
  },
  outdir: 'dist',
  bundle: true,
  minify: true,
  format: 'iife',
  target: ['chrome109', 'firefox115', 'safari16'],
  banner: { js: `/*! uPlot, which is part of this, is under this licence:\n${licence}\n*/` },
  logLevel: 'warning',
});
// Date of the build. SOURCE_DATE_EPOCH sets it, so that distributions can build the same bytes twice.
const epoch = process.env.SOURCE_DATE_EPOCH;
const date = (epoch ? new Date(epoch * 1000) : new Date()).toISOString().slice(0, 10);
rmSync(`${root}man`, { recursive: true, force: true });
for (const { path, text } of await manPages({ version, date })) {
  mkdirSync(dirname(`${root}man/${path}`), { recursive: true });
  writeFileSync(`${root}man/${path}`, text);
}
for (const project of ['.', 'src/web'])
  execFileSync('node_modules/.bin/tsc', ['--project', project], { cwd: root, stdio: 'inherit' });
removeTypesBut(['index.d.ts', 'flow/index.d.ts', 'serve/index.d.ts']);

/** Compiles the WebAssembly of `src/assembly/`: AssemblyScript, with SIMD and without a runtime. */
async function compileAssembly() {
  const { main } = await import('assemblyscript/asc');
  const options = ['-O3', '--runtime', 'stub', '--noAssert', '--enable', 'simd', '--initialMemory', '64'];
  const { error, stderr } = await main([
    'src/assembly/rows.ts',
    ...['--baseDir', root, '--outFile', 'dist/rows.wasm', ...options],
  ]);
  if (error) throw new Error(`src/assembly/rows.ts: ${stderr}`);
}

/** Generates the man pages. The generator is not part of the package: its bundle is deleted after this. */
async function manPages(edition) {
  const generator = join(root, 'dist/manual.tmp.mjs'); // in the package, so that its dependencies are found
  await build({
    absWorkingDir: root,
    entryPoints: ['src/cli/manual/index.ts'],
    outfile: generator,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    packages: 'external',
    logLevel: 'warning',
  });
  try {
    return await (await import(pathToFileURL(generator).href)).manPages(edition);
  } finally {
    rmSync(generator);
  }
}

/**
 * Builds BullMQ and its dependencies into one file that begins with their licences. As a dependency, BullMQ
 * would bring msgpackr-extract, an optional native part with an install script: npm warns about it wherever
 * the package is installed. Its own index would add its backend of PostgreSQL, and luxon.
 */
async function buildBullmq() {
  const outfile = `${root}dist/bullmq-vendor.js`;
  const contents = "export { createRedisBackend } from 'bullmq/dist/esm/utils/create-backend.js';";
  const { metafile } = await build({
    absWorkingDir: root,
    stdin: { contents, resolveDir: root },
    outfile,
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    mainFields: ['module', 'main'],
    external: ['ioredis', 'msgpackr-extract', 'pg'],
    // CommonJS modules in the bundle need `require`.
    banner: {
      js: "import { createRequire as requireFrom } from 'node:module';\nconst require = requireFrom(import.meta.url);",
    },
    legalComments: 'none',
    metafile: true,
    logLevel: 'warning',
  });
  const packages = Object.keys(metafile.inputs).map(
    (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1],
  );
  const licences = [...new Set(packages)].filter(Boolean).sort().map(licenceOf);
  writeFileSync(outfile, `/*!\n${licences.join('\n\n')}\n*/\n${readFileSync(outfile, 'utf8')}`);
}

function licenceOf(name) {
  const folder = `${root}node_modules/${name}`;
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  return `${name}, which is part of this, is under this licence:\n${readFileSync(`${folder}/${file}`, 'utf8').trim()}`;
}

/**
 * Deletes the declarations that no entry point of the library imports: those of the commands and of
 * internals.
 */
function removeTypesBut(faces) {
  const dist = join(root, 'dist');
  const needed = new Set(faces.map((face) => join(dist, face)));
  for (const file of needed) {
    for (const [, path] of readFileSync(file, 'utf8').matchAll(/(?:from |import\()['"](\.[^'"]*)\.ts['"]/g)) {
      needed.add(join(dirname(file), `${path}.d.ts`)); // the loop visits it too
    }
  }
  for (const name of readdirSync(dist, { recursive: true })) {
    if (name.endsWith('.d.ts') && !needed.has(join(dist, name))) rmSync(join(dist, name));
  }
}
