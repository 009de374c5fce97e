// `npm test`: types, lint and all tests. The last line says how many passed and failed.
// Arguments are passed to vitest. --renew-cases writes the output of the golden cases to their folders, and
// docs/options.md.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { ready, root } from './ready.mjs';

ready();
const args = process.argv.slice(2).filter((arg) => arg !== '--renew-cases');
const renew = process.argv.includes('--renew-cases');
const folder = mkdtempSync(join(tmpdir(), 'taskpipe-test-'));
const report = join(folder, 'report.json');
const env = { ...process.env, ...(renew ? { RENEW_CASES: '1' } : {}) };
for (const name of Object.keys(env)) if (name.startsWith('TASK_')) delete env[name];

/** Runs a check. Returns whether it passed. */
function check(name, program, ...more) {
  const { status } = spawnSync(program, more, { cwd: root, env, stdio: ['ignore', 'inherit', 'inherit'] });
  process.stdout.write(`${name}: ${status === 0 ? 'passed' : 'FAILED'}\n`);
  return status === 0;
}

const bin = (name) => join(root, 'node_modules/.bin', name);
const checks = [];
if (args.length === 0 && !renew) {
  checks.push(check('types', bin('tsc'), '--project', 'test/tsconfig.json'));
  checks.push(check('lint', bin('biome'), 'check', '--error-on-warnings'));
}
const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`];
const isGood = check(
  'tests',
  bin('vitest'),
  'run',
  '--dir',
  'test',
  '--testTimeout=60000',
  `--maxWorkers=${Math.max(2, availableParallelism() - 1)}`, // more workers than processors: tests mostly wait
  ...reporters,
  ...(renew ? ['cases', 'manual/manual'] : []),
  ...args,
);

let { numPassedTests: passed = 0, numFailedTests: failed = 0, numPendingTests: skipped = 0 } = readReport();
passed += checks.filter(Boolean).length;
failed += checks.filter((passed) => !passed).length;
if (!isGood && failed === 0) failed = 1; // an error outside of all tests
rmSync(folder, { recursive: true });
process.stdout.write(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`);
process.exitCode = failed === 0 ? 0 : 1;

function readReport() {
  try {
    return JSON.parse(readFileSync(report, 'utf8'));
  } catch {
    return {};
  }
}
