import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseArguments } from '../../src/cli/args/parse-args.ts';
import { commands } from '../../src/commands/index.ts';
import { freshFolder, has, root } from '../support/run.ts';

const UNITS = ['taskpipe-serve.service', 'taskpipe-worker.service'];

/** Runs systemd-analyze on a copy of a unit, whose programs exist. */
function analyze(unit: string, ...words: readonly string[]): string {
  const file = join(freshFolder(), unit);
  copyFileSync(join(root, 'examples', unit), file);
  chmodSync(file, 0o644);
  return execFileSync('systemd-analyze', [...words, file], { encoding: 'utf8', stdio: 'pipe' });
}

describe.skipIf(!(await has('systemd-analyze')))('the systemd units (need systemd-analyze)', () => {
  for (const unit of UNITS) {
    test(`${unit} is valid, and its exposure is under 4 of 10`, () => {
      expect(analyze(unit, 'verify')).toBe('');
      const [, level] =
        /exposure level for \S+: ([\d.]+)/.exec(analyze(unit, 'security', '--offline=true')) ?? [];
      expect(Number(level)).toBeLessThan(4);
    });
  }
});

test('the command of taskpipe-serve.service has valid options', async () => {
  const text = readFileSync(join(root, 'examples/taskpipe-serve.service'), 'utf8').replace(/\\\n/g, ' ');
  const [, line = ''] = /^ExecStart=\/usr\/bin\/env task-serve (.*)$/m.exec(text) ?? [];
  const words = [...line.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain ?? '');
  const { values } = await parseArguments(await commands['task-serve'](), words, {});
  expect(values).toMatchObject({ keep: 30 * 86_400_000, grace: 20_000, host: '0.0.0.0', token: '@%d/token' });
});
