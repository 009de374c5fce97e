import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freshFolder, sh } from '../support/run.ts';
import type { Program } from './support/program.ts';
import type { Breach, Report } from './support/report.ts';

/** What a pipe holds, and what is read of a file at once. */
const PIPE = 65_536;
/** What is left when the pipe is full: less than a stream takes without asking anybody to wait. */
const REST = 8192;
const LINE = 128;

/** The stages, each with a name; `in` has a record a line, of the same length. */
const STAGES: readonly (readonly [name: string, command: string])[] = [
  ['task-load', 'task-load in --format ndjson'],
  ['task-exec', 'task-exec --http --dry-run 2> said < in'],
  ['task-save', 'task-save - --format ndjson < in'],
  ['task-done', 'task-done skip ledger.jsonl < in'],
];

function record(i: number): string {
  const start = `{"uuid":"u${i}","more":"`;
  return `${start}${'x'.repeat(LINE - start.length - 3)}"}\n`;
}

/**
 * A reader that begins to read when the stage has long written all that a pipe takes: what is left over must wait
 * for it, and not be cut off at the end of the process.
 */
export async function lateReader(program: Program, stages = STAGES.length): Promise<Report> {
  const breaches: Breach[] = [];
  const tried = STAGES.slice(0, stages).map(async ([name, command]) => {
    const cwd = freshFolder();
    const lines = (PIPE + REST) / LINE;
    writeFileSync(join(cwd, 'in'), Array.from({ length: lines }, (_, i) => record(i)).join(''));
    const { stderr } = await sh(`${command} | (sleep 3; cat) > out; echo "\${PIPESTATUS[0]}" > code`, {
      cwd,
      env: program.env,
    });
    const found = readFileSync(join(cwd, 'out'), 'utf8').split('\n').length - 1;
    const code = readFileSync(join(cwd, 'code'), 'utf8').trim();
    if (found !== lines)
      breaches.push({ kind: 'lost', words: `${name}: ${lines - found} of ${lines} records` });
    if (code !== '0') breaches.push({ kind: 'exit code', words: `${name}: ${code}; ${stderr}` });
  });
  await Promise.all(tried);
  return { figures: { stages: tried.length }, breaches };
}
