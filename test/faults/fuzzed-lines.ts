import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../pipes/pipeline.ts';
import { randomFrom, recordMaker } from './support/fuzz.ts';
import { done, exec, type Fuzzing, ledger, load, type Trial } from './support/fuzz-filters.ts';
import { runOn } from './support/fuzz-run.ts';
import { loadArray, loadLines, loadTable, save } from './support/fuzz-tables.ts';
import type { Program } from './support/program.ts';
import type { Breach, Report } from './support/report.ts';

export interface FuzzAmount {
  /** Number of lines in the longest stream of each of the four stages. */
  readonly lines: number;
  readonly seed: number;
}

/**
 * Maximum additional memory, in MB, of a stream compared with one of a tenth of its lines. The growth is 20
 * to 60 on an idle machine, and more if garbage is collected late. Memory kept per line would be hundreds.
 */
const MOST_GROWTH = 120;

/**
 * Passes hostile lines to the executables. Each must exit with 0 or 1, reject each invalid line by its
 * number, emit each valid line unchanged, and write nothing to stderr that controls a terminal. Memory must
 * not grow with the number of lines.
 */
export async function fuzzedLines(program: Program, { lines, seed }: FuzzAmount): Promise<Report> {
  const figures = { lines: 0, rejected: 0, runs: 0 };
  const breaches: Breach[] = [];
  const { url } = await startServer();
  const dryRun = exec('--dry-run --print-curl', ['PENDING']);
  const requests = exec(`--retries 0 -j 20 --url '${url}/{id}'`, ['SUCCESS', 'FAILURE']);
  /**
   * Trials with the share of the lines that each receives. A trial with all lines is compared with one of a
   * tenth of them.
   */
  const trials: readonly [name: string, trial: Trial, part: number][] = [
    ['load ndjson', load, 1],
    ['exec --dry-run', dryRun, 1],
    ['save ndjson', save('out.ndjson'), 1],
    ['done', done, 1],
    ['load csv', loadTable('csv'), 0.1],
    ['load tsv', loadTable('tsv'), 0.04],
    ['load lines', loadLines, 0.04],
    ['load json', loadArray, 0.04],
    ['exec --http', requests, 0.01],
    ['save csv --fields', save('out.csv', '--fields uuid,id,name,url'), 0.08],
    ['save csv', save('out.csv'), 0.04],
    ['save tsv --fields', save('out.tsv', '--fields uuid,name,id'), 0.04],
    ['save csv --widen', save('out.csv', '--widen'), 0.004],
    ['check a ledger', ledger, 0.08],
  ];
  const tryOne = async (i: number): Promise<void> => {
    const [name, trial, part] = trials[i] as (typeof trials)[number];
    const random = randomFrom(seed + i);
    const breach: Fuzzing['breach'] = (words, kind = 'other') =>
      void breaches.push({ kind, words: `${name}, seed ${seed}: ${words}` });
    const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'taskpipe-fuzz-'));
    let runs = 0;
    const fuzzing: Fuzzing = {
      random,
      make: recordMaker(random, seed + i),
      async run(command, input, cwd = join(folder, String(runs++))) {
        const ran = await runOn(program, cwd, command, input, breach);
        figures.runs++;
        figures.rejected += ran.bad.length;
        for (const byte of input) if (byte === 10) figures.lines++;
        return ran;
      },
      breach,
    };
    try {
      const few = part === 1 ? await trial(fuzzing, Math.ceil(lines / 10)) : undefined;
      const many = await trial(fuzzing, Math.ceil(lines * part));
      if (few !== undefined && many > few + MOST_GROWTH)
        breach(`${Math.round(many)} MB for ${lines} lines, and ${Math.round(few)} for a tenth`, 'memory');
    } finally {
      rmSync(folder, { recursive: true });
    }
  };
  const lane = async (of: number): Promise<void> => {
    for (let i = of; i < trials.length; i += 2) await tryOne(i);
  };
  await Promise.all([lane(0), lane(1)]); // one lane per core
  return { figures, breaches };
}
