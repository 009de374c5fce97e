// `npm run faults`: runs only the fault suite, and writes its figures as a table to docs/faults.md.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ready, root } from './ready.mjs';

ready();
const figures = mkdtempSync(join(tmpdir(), 'taskpipe-faults-'));
const { status } = spawnSync(
  join(root, 'node_modules/.bin/vitest'),
  ['run', '--dir', 'test/faults', '--maxWorkers=2', ...process.argv.slice(2)],
  { cwd: root, env: { ...process.env, FAULT_FIGURES: figures }, stdio: ['ignore', 'inherit', 'inherit'] },
);
if (status === 0) writeFileSync(join(root, 'docs/faults.md'), page(readFigures()));
else process.stdout.write('docs/faults.md is as it was\n');
rmSync(figures, { recursive: true });
process.exitCode = status === 0 ? 0 : 1;

function readFigures() {
  return readdirSync(figures).map((name) => JSON.parse(readFileSync(join(figures, name), 'utf8')));
}

function page(reports) {
  const kinds = ['lost', 'double', 'false ledger line'];
  const cells = ({ fault, tried, breaches }) => {
    const other = Object.keys(breaches).filter((kind) => !kinds.includes(kind));
    const sum = (names) => names.reduce((total, kind) => total + (breaches[kind] ?? 0), 0);
    return [fault, tried, ...kinds.map((kind) => sum([kind])), sum(other)];
  };
  const rows = [
    ['fault', 'tried', 'rows lost', 'rows double', 'false ledger lines', 'other'],
    ['---', '---', '---:', '---:', '---:', '---:'],
    ...reports.map(cells).sort(([a], [b]) => a.localeCompare(b)),
  ];
  const table = rows.map((row) => `| ${row.join(' | ')} |`).join('\n');
  return `# Faults

The fault suite makes processes, disks, networks and servers fail at any time. Each run of the tests checks that these promises still hold: **Each uuid gives exactly one row per output. A uuid is in the ledger only if its row is in the output.**

${table}

- *Rows lost*: a task that was acknowledged, or that the run had to finish, has no row. *Rows double*: a uuid has two rows. *False ledger lines*: a uuid is in the ledger, but its row is not in the output. *Other*: an output that does not end with a complete row, an undocumented exit code, a crash, a stage that hangs, growing memory.
- Machines that share a queue have separate outputs, so a task that was delivered again may have a row in two of them. It counts as *double* if it has more rows than runs, or if more tasks ran again than were in flight at the faults. A task that is finished in the queue, but has no row in any output, counts as a *false ledger line*.
- Independent code checks outputs and ledgers: a plain RFC 4180 reader, and \`JSON.parse\`.
- The suite itself is tested. It must fail on builds with a deliberate defect (\`test/faults/teeth.test.ts\`). For example, the ledger is written before the rows, an append to the ledger has no newline first, a short write or a failed sync is ignored, or output is cut off at the end.

\`npm run faults\` writes this page. The tests are in \`test/faults/\`.
`;
}
