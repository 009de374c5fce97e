import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Case, casesOf } from './crash/cases.ts';
import { examine } from './crash/examine.ts';
import { type Scenario, scenarios } from './crash/scenarios.ts';
import { byExecutable, type Library, openLibrary, type Starter } from './crash/starts.ts';
import type { Program } from './support/program.ts';
import type { Breach, Report } from './support/report.ts';

/** The executable starts from one state in this many; the library starts from all others. */
const SAMPLE = 60;
/** Number of states that run at the same time. */
const LANES = 2;

export interface Amount {
  /** Scenarios to run, matched against output and name. Default: all. */
  readonly only?: RegExp;
  /** Distance in bytes between two cuts. Default: the step of each scenario. */
  readonly step?: number;
}

/**
 * Cuts the write log of a run at every byte, as process death and as power loss. Each state that can be left
 * must be recovered by a run with the same input, and stay unchanged in a second one.
 */
export async function crashStates(program: Program, { only = /./, step = 1 }: Amount = {}): Promise<Report> {
  const chosen = scenarios.filter(({ name, out }) => only.test(`${out} ${name}`));
  const top = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'taskpipe-crash-'));
  const lanes = Array.from({ length: LANES }, () => openLibrary(program));
  try {
    const breaches: Breach[] = [];
    let states = 0;
    let sampled = 0;
    const casesIn = (scenario: Scenario, folder: string): Promise<readonly Case[]> =>
      casesOf(program, { ...scenario, step: scenario.step * step }, join(top, folder)).catch((error) => {
        breaches.push({ kind: 'exit code', words: `${scenario.out}, ${scenario.name}: ${error}` });
        return [];
      });
    const work = async ({ start }: Library, lane: number): Promise<void> => {
      for (let scenario = chosen.shift(); scenario !== undefined; scenario = chosen.shift()) {
        for (const state of await casesIn(scenario, `traced-${lane}`)) {
          const isSample = states++ % SAMPLE === 0;
          if (isSample) sampled++;
          const first: Starter = isSample ? (...given) => byExecutable(program, ...given) : start;
          breaches.push(...(await examine(state, first, start, join(top, `lane-${lane}`))));
        }
      }
    };
    await Promise.all(lanes.map(work));
    return { figures: { states, 'by the executable': sampled }, breaches };
  } finally {
    for (const { close } of lanes) close();
    rmSync(top, { recursive: true, force: true });
  }
}
