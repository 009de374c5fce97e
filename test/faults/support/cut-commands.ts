import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freshFolder, sh } from '../../support/run.ts';
import { recordsOf, SAMPLES, type Sample, type Seen, type Stage, withoutRun } from './cuts.ts';
import { finishedIn } from './oracle.ts';
import type { Program } from './program.ts';

/** Returns the uuids of tasks as text. */
function uuidsOf(text: string): string[] {
  return [...text.matchAll(/"uuid":"([^"]+)"/g)].map(([, uuid]) => uuid as string);
}

/**
 * Returns the stages as processes, by their command line.
 * @param tasks NDJSON sample as tasks, as they pass between two stages
 */
export function commandStages(program: Program, tasks: Sample): Readonly<Record<string, Stage>> {
  const folder = freshFolder();
  const all = uuidsOf(tasks.bytes.toString());
  writeFileSync(join(folder, 'all.jsonl'), all.map((uuid) => `{"uuid":"${uuid}"}\n`).join(''));
  writeFileSync(join(folder, 'other.jsonl'), `${JSON.stringify({ uuid: 'other' })}\n{"uuid":"${all[0]}`);
  let runs = 0;
  const stage =
    (command: string, linesOf: (stdout: string, cwd: string) => string[]): Stage =>
    async (bytes) => {
      const cwd = join(folder, String(runs++));
      mkdirSync(cwd);
      const { stdout, stderr, code, signal } = await sh(command, { cwd, input: bytes, env: program.env });
      const bad = [...stderr.matchAll(/^task-\w+: (stdin):(\d+): /gm)].map(([, source = '', line]) => ({
        source,
        line: Number(line),
      }));
      const seen: Seen = { lines: linesOf(stdout, cwd), bad };
      if (code === (bad.length > 0 ? 1 : 0)) return seen;
      return { ...seen, bad: [], error: `${signal ?? code}: ${stderr}`, isUnusable: code === 65 };
    };
  const asTheyCame = (stdout: string): string[] => recordsOf(stdout, 'ndjson');
  const marked = (stdout: string, cwd: string): string[] => {
    const finished = finishedIn(join(cwd, 'l.jsonl'));
    return asTheyCame(stdout).filter((line) => finished.has(uuidsOf(line)[0] as string));
  };
  const saved = (_: string, cwd: string): string[] => {
    const out = join(cwd, 'out.csv');
    return existsSync(out) ? recordsOf(readFileSync(out, 'utf8'), 'csv') : [];
  };
  const loads = SAMPLES.map(({ format }) => `task-load --format ${format}`);
  return {
    ...Object.fromEntries(loads.map((command) => [command, stage(command, asTheyCame)])),
    'task-exec': stage("task-exec --http --dry-run --keep-order --url 'http://h/{id}'", (stdout) =>
      asTheyCame(stdout).map(withoutRun),
    ),
    'task-save': stage('task-save out.csv --sync none', saved),
    'task-done mark': stage('task-done mark l.jsonl', marked),
    'task-done skip': stage('task-done skip ../other.jsonl', asTheyCame),
    'task-done only': stage('task-done only ../all.jsonl', asTheyCame),
  };
}
