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

The fault suite tests a promise each time the tests run, whichever process or disk fails, at any time: **Each uuid gives exactly one row per output. A uuid is in the ledger only if its row is in the output.**

${table}

- *Rows lost*: a task that was acknowledged, or that the run had to do, has no row. *Rows double*: a uuid has two rows. *False ledger lines*: a uuid is in the ledger, and its row is not in the output. *Other*: an output that does not end with a complete row, an exit code that is not the documented one, a crash, a stage that hangs, memory that grows.
- Machines that share a queue have an output each, so a task that was delivered again may have a row in two of them. It counts as *double* if it has more rows than runs, or if more tasks ran again than were in flight at the faults. A task that the queue calls finished without a row in any output counts as a *false ledger line*.
- Outputs and ledgers are checked by independent code: a plain reader of RFC 4180, and \`JSON.parse\`.
- The suite itself is tested. It must fail on builds with a planted defect (\`test/faults/teeth.test.ts\`). For example, the ledger is written before the rows, an append to the ledger has no newline first, a short write or a failed sync is ignored, or output is cut off at the end.

\`npm run faults\` writes this page. The tests are in \`test/faults/\`.
`;
}
