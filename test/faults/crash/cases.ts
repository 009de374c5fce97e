import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Program } from '../support/program.ts';
import { Disk, type State } from './disk.ts';
import { keyOf, writeFiles } from './folder.ts';
import { linesOf } from './records.ts';
import type { Kill, Scenario } from './scenarios.ts';
import { commandOf } from './starts.ts';
import { type Call, recorded } from './trace.ts';

/** State of the folder, with the records that were acknowledged before it. */
export interface Case extends State {
  readonly scenario: Scenario;
  /** Records that `--tee` had passed on. */
  readonly acknowledged: readonly string[];
}

/**
 * Returns the states that a scenario can leave, each once.
 * @param top working folder
 * @throws if a run that will be cut does not end on its own
 */
export async function casesOf(program: Program, scenario: Scenario, top: string): Promise<readonly Case[]> {
  const disk = new Disk();
  const acknowledged = new Set<string>();
  const record = (records: readonly string[]): Promise<readonly Call[]> => {
    writeFiles(join(top, 'work'), disk.files);
    writeFileSync(join(top, 'input'), records.map((line) => `${line}\n`).join(''));
    return recorded(program, join(top, 'work'), commandOf(scenario), join(top, 'input'));
  };
  const apply = (call: Call): void => {
    disk.apply(call);
    if (call.kind === 'tee') for (const line of linesOf(call.text)) acknowledged.add(line);
  };
  mkdirSync(top, { recursive: true });
  if (scenario.before !== undefined) {
    for (const call of await record(scenario.before)) apply(call);
    if (scenario.isOpen) {
      const size = (disk.files.get(scenario.out) as Buffer).length - 1;
      apply({ kind: 'truncate', name: scenario.out, size });
    }
    disk.settle();
  }
  for (const kill of scenario.killed ?? [])
    for (const call of until(kill, await record(scenario.records))) apply(call);
  const calls = await record(scenario.records);
  const cases = new Map<string, Case>();
  const take = (state: State, words: string): void => {
    const key = keyOf(state.files, acknowledged.size);
    if (cases.has(key)) return;
    const label = `${scenario.out}, ${scenario.name}, ${words}: ${state.words};`;
    cases.set(key, { ...state, words: label, scenario, acknowledged: [...acknowledged] });
  };
  for (const [i, call] of [...calls, undefined].entries()) {
    const words =
      call === undefined ? 'the end' : `call ${i} (${call.kind} ${'name' in call ? call.name : ''})`;
    for (const state of disk.death(call, scenario.step)) take(state, `in ${words}`);
    for (const state of disk.powerLoss(scenario.step)) take(state, `before ${words}`);
    if (call !== undefined) apply(call);
  }
  return [...cases.values()];
}

/** Returns the calls before a kill; the last write is cut. */
function until({ file, write, part }: Kill, calls: readonly Call[]): readonly Call[] {
  const writes = calls.filter((call) => call.kind === 'write' && isNamed(call.name, file));
  const last = writes[write];
  if (last?.kind !== 'write') throw new Error(`there is no write ${write} to ${file}`);
  const cut = { ...last, bytes: last.bytes.subarray(0, Math.floor(last.bytes.length * part)) };
  return [...calls.slice(0, calls.indexOf(last)), cut];
}

function isNamed(name: string, part: string): boolean {
  return part.startsWith('.') ? name.includes(part) : name === part;
}
