import type { BadInput, Task, TaskpipeError } from '../../src/index.ts';
import { commandStages } from './support/cut-commands.ts';
import {
  type Expected,
  ndjsonSample,
  recordsOf,
  SAMPLES,
  type Sample,
  type Seen,
  type Stage,
  valuesOf,
  withoutRun,
} from './support/cuts.ts';
import type { Program } from './support/program.ts';
import type { Breach, Report } from './support/report.ts';

type Library = typeof import('../../src/index.ts');

export interface CutAmount {
  /** Distance in bytes between two cuts. */
  readonly step: number;
  /** Number of cuts that the executables receive too, in each of eight ways; 0 for none. */
  readonly processes: number;
}

/**
 * Cuts input at every offset and passes it to each stage. Records before the cut must be the same as in the
 * uncut run, byte for byte. The cut record must be complete by the rules of its format, or be reported with
 * its position: nothing is lost silently. (The last value of a CSV row without a newline may be cut short; no
 * reader can detect that.)
 */
export async function cutInput(program: Program, { step, processes }: CutAmount): Promise<Report> {
  const library = await program.library();
  const figures = { offsets: Number.POSITIVE_INFINITY, formats: SAMPLES.length, cuts: 0, processes: 0 };
  const breaches: Breach[] = [];
  const tryAll = async (sample: Sample, name: string, stage: Stage, every: number): Promise<number> => {
    const full = await stage(sample.bytes, sample.bytes.length);
    let tried = 0;
    for (let cut = 0; cut <= sample.bytes.length; cut += every) {
      const bytes = sample.bytes.subarray(0, cut);
      const words = faultOf(sample.expect(bytes), await stage(bytes, cut), full.lines);
      if (words !== undefined) breaches.push({ kind: 'lost', words: `${name} cut at ${cut}: ${words}` });
      tried++;
    }
    return tried;
  };
  for (const sample of SAMPLES) {
    const tried = await tryAll(sample, `load ${sample.format}`, loadStage(library, sample.format), step);
    figures.offsets = Math.min(figures.offsets, tried);
    figures.cuts += tried;
  }
  const tasks = await tasksOf(library);
  for (const [name, stage] of Object.entries(taskStages(library)))
    figures.cuts += await tryAll(tasks, name, stage, step);
  const commands = commandStages(program, tasks);
  const runs = [...SAMPLES.map((sample) => ({ sample, name: `task-load --format ${sample.format}` }))];
  for (const name of Object.keys(commands))
    if (!name.startsWith('task-load')) runs.push({ sample: tasks, name });
  const lane = async (of: number): Promise<void> => {
    for (const { sample, name } of runs.filter((_, i) => i % 2 === of)) {
      const every = Math.ceil(sample.bytes.length / processes);
      const tried = await tryAll(sample, name, commands[name] as Stage, every);
      figures.processes += tried; // not in the same expression as the await: the other lane adds too
    }
  };
  if (processes > 0) await Promise.all([lane(0), lane(1)]); // one lane per core
  return { figures, breaches };
}

/** Returns the first difference from the expected result; undefined if there is none. */
function faultOf(expected: Expected, seen: Seen, full: readonly string[]): string | undefined {
  const { whole, last, isHeader = false } = expected;
  if (seen.error !== undefined && !(isHeader && seen.isUnusable)) return `it ended with ${seen.error}`;
  const isTask = last?.values !== undefined;
  const count = whole + (isTask ? 1 : 0);
  if (seen.lines.length !== count) return `${seen.lines.length} records came out, and not ${count}`;
  const changed = seen.lines.slice(0, whole).findIndex((line, i) => line !== full[i]);
  if (changed >= 0) return `record ${changed + 1} is ${seen.lines[changed]}, and not ${full[changed]}`;
  const tail = seen.lines[whole] ?? '';
  const isAsCut = tail === full[whole] || JSON.stringify(valuesOf(tail)) === JSON.stringify(last?.values);
  if (isTask && !isAsCut) return `the last record is ${tail}`;
  const places = last === undefined || isTask ? '' : `stdin:${last.line}`;
  const named = seen.bad.map(({ source, line }) => `${source}:${line}`).join();
  return named === places ? undefined : `${named || 'nothing'} was rejected, and not ${places || 'nothing'}`;
}

/** Yields the bytes in chunks whose length depends on the cut: all at once, or a few at a time. */
async function* pieces(bytes: Buffer, cut: number): AsyncGenerator<Buffer> {
  const length = cut % 2 === 0 ? bytes.length : 1 + (cut % 61);
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function gathered(
  batches: AsyncIterable<readonly Pick<Task, 'line'>[]>,
  bad: BadInput[],
): Promise<Seen> {
  const lines: string[] = [];
  try {
    for await (const batch of batches) lines.push(...batch.map(({ line }) => line));
    return { lines, bad };
  } catch (error) {
    return { lines, bad, error: String(error), isUnusable: (error as TaskpipeError).code === 'DATA' };
  }
}

function loadStage({ load }: Library, format: Sample['format']): Stage {
  return (bytes, cut) => {
    const bad: BadInput[] = [];
    const options = { format, stdin: () => pieces(bytes, cut), reject: (one: BadInput) => bad.push(one) };
    return gathered(load('-', options), bad);
  };
}

/** Returns the NDJSON sample as tasks, as they pass between two stages. */
async function tasksOf(library: Library): Promise<Sample> {
  const sample = SAMPLES.find(({ format }) => format === 'ndjson') as Sample;
  return ndjsonSample((await loadStage(library, 'ndjson')(sample.bytes, 0)).lines);
}

/** Returns the stages that read tasks, as library calls. */
function taskStages({ exec, readTasks, save }: Library): Readonly<Record<string, Stage>> {
  const read = (bytes: Buffer, cut: number, bad: BadInput[]): AsyncIterable<readonly Task[]> =>
    readTasks(pieces(bytes, cut), { source: 'stdin', reject: (one) => bad.push(one) });
  const saveAs =
    (format: 'csv' | 'tsv' | 'ndjson'): Stage =>
    async (bytes, cut) => {
      const bad: BadInput[] = [];
      let text = '';
      const write = async (more: string): Promise<void> => {
        text += more;
      };
      await save(read(bytes, cut, bad), '-', { format, fields: ['uuid', 'id', 'note', 'n'], write });
      return { lines: recordsOf(text, format), bad };
    };
  const stages: Record<string, Stage> = {
    async exec(bytes, cut) {
      const bad: BadInput[] = [];
      const seen = await gathered(
        exec((task) => task.uuid.length, { keepOrder: true })(read(bytes, cut, bad)),
        bad,
      );
      return { ...seen, lines: seen.lines.map(withoutRun) };
    },
  };
  for (const format of ['csv', 'tsv', 'ndjson'] as const) stages[`save ${format}`] = saveAs(format);
  return stages;
}
