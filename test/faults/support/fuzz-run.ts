import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sh } from '../../support/run.ts';
import type { Judged } from './judge.ts';
import type { Program } from './program.ts';
import type { Breach } from './report.ts';

/** Result of a command for a text. */
export interface Ran {
  readonly cwd: string;
  /** Lines of its output. */
  readonly lines: readonly string[];
  /** Numbers of the rejected input lines, in order. */
  readonly bad: readonly number[];
  readonly stderr: string;
  readonly code: number | null;
  /** Peak memory in MB. */
  readonly megabytes: number;
}

const PEAK = `import { writeFileSync } from 'node:fs';
process.on('exit', () => writeFileSync('peak', String(process.resourceUsage().maxRSS / 1024)));`;

/** Control characters except newline and tab, and the characters that change the direction of text. */
const DANGEROUS = /[^\n\t\P{Cc}]|[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/u;

/**
 * Runs a command on a text in its own folder.
 * @param breach receives effects that no input may have
 */
export async function runOn(
  program: Program,
  cwd: string,
  command: string,
  input: Buffer,
  breach: (words: string, kind?: Breach['kind']) => void,
): Promise<Ran> {
  mkdirSync(cwd, { recursive: true });
  rmSync(join(cwd, 'bad.ndjson'), { force: true });
  writeFileSync(join(cwd, 'in'), input);
  writeFileSync(join(cwd, 'peak.mjs'), PEAK);
  const { code, signal } = await sh(`${command} --rejects bad.ndjson < in > out 2> err`, {
    cwd,
    env: { ...program.env, NODE_OPTIONS: '--import ./peak.mjs' },
  });
  const stderr = readFileSync(join(cwd, 'err'), 'utf8');
  const last = stderr.trimEnd().split('\n').slice(-3).join('\n');
  if (signal !== null || /a defect in task-/.test(stderr))
    breach(`${signal ?? code}: ${/a defect[^\0]{0,500}/.exec(stderr)?.[0] ?? last}`, 'crash');
  const bad = linesIn(readFileSync(join(cwd, 'bad.ndjson'), 'utf8')).map((line) => JSON.parse(line).line);
  if (code !== 1 && !(code === 0 && bad.length === 0)) breach(`exit code ${code}: ${last}`, 'exit code');
  const danger = DANGEROUS.exec(stderr);
  if (danger !== null)
    breach(`stderr has ${JSON.stringify(stderr.slice(danger.index - 50, danger.index + 9))}`);
  const megabytes = Number(readFileSync(join(cwd, 'peak'), 'utf8'));
  return { cwd, lines: linesIn(readFileSync(join(cwd, 'out'), 'utf8')), bad, stderr, code, megabytes };
}

/** Returns the lines of a text. Throws if the last one has no end. */
export function linesIn(text: string): string[] {
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new Error('the last line has no end');
  return lines;
}

/** Describes the first difference of two lists; undefined if they are equal. */
export function difference<T>(seen: readonly T[], wanted: readonly T[]): string | undefined {
  const length = Math.max(seen.length, wanted.length);
  for (let i = 0; i < length; i++) {
    if (seen[i] === wanted[i]) continue;
    return `the ${i + 1}th is ${JSON.stringify(seen[i])}, and not ${JSON.stringify(wanted[i])}`;
  }
  return undefined;
}

/**
 * Compares the output of a filter with the expected one: each invalid line is rejected once, and each valid one
 * becomes, in order, a record that `isRight` accepts.
 */
export function compare(
  { lines, bad }: Ran,
  judged: readonly Judged[],
  breach: (words: string, kind?: Breach['kind']) => void,
  isRight: (line: string, from: Judged) => boolean,
): void {
  const wrong = judged.flatMap(({ kind }, number) => (kind === 'bad' ? [number] : []));
  const unequal = difference(
    [...bad].sort((a, b) => a - b),
    wrong,
  );
  if (unequal !== undefined) breach(`of the rejected lines, ${unequal}`, 'lost');
  const good = judged.filter(({ kind }) => kind === 'good');
  if (good.length !== lines.length) breach(`${lines.length} records for ${good.length} good lines`, 'lost');
  for (const [i, from] of good.entries()) {
    const line = lines[i];
    if (line !== undefined && isRight(line, from)) continue;
    breach(`${JSON.stringify(from.line)} gave ${JSON.stringify(line)}`, 'lost');
    return;
  }
}
