// Builds dist/: the commands and the library, bundled so that each command loads only what it needs, and their types.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));

rmSync(`${root}dist`, { recursive: true, force: true });
await build({
  absWorkingDir: root,
  entryPoints: {
    cli: 'src/cli/main.ts',
    index: 'src/index.ts',
    flow: 'src/flow/index.ts',
    thread: 'src/executors/module/thread.ts',
    runner: 'src/executors/command/runner.ts',
  },
  outdir: 'dist',
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20.19',
  packages: 'external',
  sourcemap: true,
  sourcesContent: false,
  define: { TASKPIPE_VERSION: JSON.stringify(version) },
  logLevel: 'warning',
});
execFileSync('node_modules/.bin/tsc', { cwd: root, stdio: 'inherit' });
