import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { root, sh } from '../../support/run.ts';
import type { Program } from '../support/program.ts';
import type { Scenario } from './scenarios.ts';

/** Result of a start after a crash. */
export interface Start {
  readonly code: number | null;
  readonly words: string;
}

/** Function that runs a scenario in a folder. */
export type Starter = (folder: string, scenario: Scenario) => Promise<Start>;

/** Library of a build, in a process that serves many starts. */
export interface Library {
  readonly start: Starter;
  close(): void;
}

/** Returns the command line of a scenario. */
export function commandOf({ out, ledger, widen }: Scenario): string {
  const options = [ledger === undefined ? '' : `--ledger ${ledger}`, widen ? '--widen' : ''].join(' ');
  return `task-save ${out} --flush 2 ${options} --tee --quiet`;
}

export function openLibrary(program: Program): Library {
  const library = join(String(program.env.PATH?.split(':')[0]), '../dist/index.js');
  const runner = join(root, 'test/faults/crash/starter.mjs');
  const child = spawn(process.execPath, [runner, library], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async start(folder, scenario) {
      child.stdin.write(`${JSON.stringify({ folder, scenario })}\n`);
      const { value, done } = await answers.next();
      return done ? { code: null, words: 'it died' } : (JSON.parse(value) as Start);
    },
    close: () => void child.stdin.end(),
  };
}

export async function byExecutable(program: Program, folder: string, scenario: Scenario): Promise<Start> {
  const input = scenario.records.map((line) => `${line}\n`).join('');
  const { code, stderr } = await sh(`${commandOf(scenario)} > /dev/null`, {
    cwd: folder,
    env: program.env,
    input,
  });
  return { code, words: stderr };
}
