import { cpSync, mkdirSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pMap from 'p-map';
import { type Ended, freshFolder, sh } from '../support/run.ts';
import { finishedIn } from './support/oracle.ts';
import type { Program } from './support/program.ts';
import type { Breach, Report } from './support/report.ts';
import {
  breachesAfterFault,
  breachesAtEnd,
  command,
  prepare,
  recordsOf,
  SAVINGS,
  type Saving,
  type Whole,
} from './support/saving.ts';
import { stepwise } from './support/stepwise.ts';
import { callsAfterFailure, type Injection, pointsIn, TRACEABLE, tracing } from './support/strace.ts';

const WORDS: Readonly<Record<string, string>> = {
  ENOSPC: 'no space left on the device',
  EIO: 'input/output error',
};

/** Errors that are injected, by the name of the saving. */
const ERRORS: Readonly<Record<string, readonly string[]>> = {
  first: ['ENOSPC', 'EIO'],
  append: ['EIO'],
  widen: ['ENOSPC'],
  overwrite: ['EIO'],
  ndjson: [],
  nameless: [],
  gzip: ['EIO'],
  zstd: [],
};

/** Selection for builds with a mistake. Default: all. */
export interface FailureAmount {
  readonly savings?: readonly string[];
  /** Only file whose calls fail. */
  readonly file?: string;
}

/**
 * Makes each call of `task-save` that changes a file fail, one call per run, then runs the command again
 * without a fault.
 */
export async function failingCalls(
  program: Program,
  { savings = Object.keys(ERRORS), file }: FailureAmount = {},
): Promise<Report> {
  const breaches: Breach[] = [];
  let failures = 0;
  for (const saving of SAVINGS.filter(({ name }) => savings.includes(name))) {
    const base = freshFolder();
    mkdirSync(join(base, 'before'));
    const whole = await prepare(program, saving, join(base, 'before'));
    const state = { saving, whole, base };
    const injections = await injectionsOf(program, state, file);
    const found = await pMap(injections, (injection) => failOnce(program, state, injection), {
      concurrency: 3,
    });
    failures += injections.length;
    breaches.push(...found.flat());
  }
  return { figures: { failures }, breaches };
}

interface State {
  readonly saving: Saving;
  readonly whole: Whole;
  readonly base: string;
}

async function injectionsOf(
  program: Program,
  state: State,
  only: string | undefined,
): Promise<readonly Injection[]> {
  const errors = ERRORS[state.saving.name] ?? [];
  const { folder } = await run(program, state);
  return pointsIn(folder, `${folder}.trace`)
    .filter(({ file }) => only === undefined || file === only)
    .flatMap(({ call, file, count }) =>
      Array.from({ length: count }, (_, i) =>
        errors.map((error): Injection => ({ call, file, when: i + 1, how: `error=${error}` })),
      ).flat(),
    );
}

async function failOnce(program: Program, state: State, injection: Injection): Promise<Breach[]> {
  const { saving, whole } = state;
  const { call, file, when, how } = injection;
  const label = `${saving.name}, ${call} ${file} #${when} ${how}:`;
  const { folder, end } = await run(program, state, injection);
  const after = callsAfterFailure(`${folder}.trace`);
  if (after === undefined) return [{ kind: 'other', words: `${label} it was not reached` }];
  const breaches = breachesAfterFault(saving, whole, folder, label);
  const add = (kind: Breach['kind'], words: string): void =>
    void breaches.push({ kind, words: `${label} ${words}` });
  if (end.code !== 74) add('exit code', `${end.code} ${end.signal ?? ''}`);
  const cause = WORDS[how.replace('error=', '')] ?? how;
  if (!end.stderr.includes(cause) || !end.stderr.includes(nameOf(file)))
    add('other', `it says ${end.stderr}`);
  const more = after.filter((name) => /write|sync/.test(name));
  if (more.length > 0 && file !== 'tee') add('other', `${more} follow on the same file`);
  if (file === saving.out && /^(pwrite64|fdatasync)$/.test(call)) {
    const passed = new Set(recordsOf(readFileSync(join(folder, 'tee'), 'utf8')).map(({ uuid }) => uuid));
    const before = finishedIn(join(state.base, 'before/l.jsonl'));
    for (const uuid of finishedIn(join(folder, 'l.jsonl')))
      if (!passed.has(uuid) && !before.has(uuid)) add('false ledger line', `${uuid} was marked after that`);
  }
  const again = await sh(command(saving), { cwd: folder, env: program.env, input: saving.parts.join('') });
  return [...breaches, ...breachesAtEnd(saving, whole, folder, again, `${label} the run after it:`)];
}

/** Returns the name of a file in messages: the name that it gets at the end. */
function nameOf(file: string): string {
  return file === '.' ? '' : file === 'tee' ? 'the standard output' : file.replace(/\.(new|wide)$/, '');
}

/** Runs a saving in its own folder and traces its calls. */
async function run(
  program: Program,
  { saving, base }: State,
  injection?: Injection,
): Promise<{ folder: string; end: Ended }> {
  const folder = join(mkdtempSync(join(base, 'run-')), 'in');
  cpSync(join(base, 'before'), folder, { recursive: true });
  const traced = `${tracing(folder, `${folder}.trace`, injection)} ${command(saving)}`;
  return {
    folder,
    end: await stepwise(program, { cwd: folder, command: traced, parts: saving.parts, env: TRACEABLE }),
  };
}

/** Interrupts every second attempt of the calls that write and sync, which must have no effect. */
export async function interruptedCalls(program: Program): Promise<Report> {
  const saving = SAVINGS.find(({ name }) => name === 'first') as Saving;
  const base = freshFolder();
  mkdirSync(join(base, 'before'));
  const state = { saving, whole: await prepare(program, saving, join(base, 'before')), base };
  const breaches: Breach[] = [];
  const files = ['out.csv', 'l.jsonl', 'out.csv.rest.ndjson.run', 'tee'];
  for (const file of files) {
    const { folder, end } = await run(program, state, {
      call: 'write,pwrite64,fdatasync',
      file,
      when: '1+2',
      how: 'error=EINTR',
    });
    const label = `interrupted at ${file}:`;
    if (callsAfterFailure(`${folder}.trace`) === undefined)
      breaches.push({ kind: 'other', words: `${label} it was not reached` });
    breaches.push(...breachesAtEnd(saving, state.whole, folder, end, label));
  }
  return { figures: { interrupted: files.length }, breaches };
}
