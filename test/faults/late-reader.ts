import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freshFolder, sh } from '../support/run.ts';
import type { Program } from './support/program.ts';
import type { Breach, Report } from './support/report.ts';

/** Capacity of a pipe, and size of one read from a file, in bytes. */
const PIPE = 65_536;
/** Bytes left over when the pipe is full: less than the size at which a stream asks its writer to wait. */
const REST = 8192;
const LINE = 128;

/** Stages by name; the file `in` has one record per line, all of the same length. */
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
 * Starts to read after the stage has filled the pipe. The rest of the output must wait for the reader, and
 * must not be cut off when the process ends.
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
