import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, type Stats, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { openDatabase } from '../../src/core/storage/sqlite-database.ts';
import {
  APPEND,
  DATABASE_EDITS,
  type Edit,
  FILE_EDITS,
  FOLDER_EDITS,
  FOREIGN,
  SHARED_APPEND,
} from './support/edits-during-run.ts';
import { FedStage } from './support/fed-stage.ts';
import { inFolder, inLanes, type Notes, notes } from './support/live.ts';
import { finishedIn, rowsOf } from './support/oracle.ts';
import type { Program } from './support/program.ts';
import type { Report } from './support/report.ts';
import { line } from './support/saving.ts';

/*
 * Trials in which a person edits, replaces or removes a file of task-save while it runs. The same command
 * then runs again, as the message says.
 */

const FORMATS = ['csv', 'tsv', 'ndjson', 'db'] as const;
const GOOD = ['t1', 't2', 't4', 't5'];
const BAD_LINE = 'not a record zwei t2\n';
/** Records before and after the edit. One of them has failed, so the exit code of a normal run is 1. */
const BEFORE = [line('t1', 'SUCCESS'), line('t3', 'FAILURE'), line('t2', 'SUCCESS')];
const AFTER = [line('t4', 'SUCCESS'), line('t5', 'SUCCESS')];
const NORMAL = 1;

interface Trial {
  readonly format: (typeof FORMATS)[number];
  readonly target: 'output' | 'ledger' | 'rest' | 'rejects';
  readonly edit: Edit;
  readonly hasLedger: boolean;
  /** True if all files are in one folder. */
  readonly isOnePlace: boolean;
  /** True if the run receives no more records after the edit. */
  readonly isLate: boolean;
}

/** Returns the paths in the working directory of a trial. */
function pathsOf({ format, isOnePlace }: Trial): Readonly<Record<Trial['target'], string>> {
  const out = `data/out.${format}`;
  const folder = isOnePlace ? 'data' : 'other';
  return {
    output: out,
    ledger: `${folder}/done.jsonl`,
    rest: `${out}.rest.ndjson.run`,
    rejects: `${folder}/bad.ndjson`,
  };
}

function trials(): readonly Trial[] {
  const all: Trial[] = [];
  const add = (
    target: Trial['target'],
    format: Trial['format'],
    hasLedger: boolean,
    edits: readonly Edit[],
  ): void => {
    for (const [i, edit] of edits.entries()) {
      const isLate = i % 5 === 3;
      all.push({ target, format, edit, hasLedger, isOnePlace: i % 2 === 0, isLate });
    }
  };
  for (const hasLedger of [true, false]) {
    for (const format of hasLedger ? (['csv', 'tsv', 'ndjson'] as const) : (['csv'] as const))
      add('output', format, hasLedger, [...FILE_EDITS, APPEND, ...FOLDER_EDITS]);
    add('output', 'db', hasLedger, [...DATABASE_EDITS, ...FOLDER_EDITS]);
  }
  add('ledger', 'csv', true, [...FILE_EDITS, SHARED_APPEND, ...FOLDER_EDITS]);
  add('rest', 'ndjson', true, FILE_EDITS);
  add('rejects', 'csv', false, [...FILE_EDITS, SHARED_APPEND]);
  return all;
}

/**
 * Edits a file during each run.
 * @param isTried selects the trials; default: all
 */
export async function editsDuring(
  program: Program,
  isTried: (trial: Trial) => boolean = () => true,
): Promise<Report> {
  const report = notes();
  const names = new Set<string>();
  await inLanes(3, trials().filter(isTried), async (trial) => {
    const { format, target, edit, hasLedger, isLate } = trial;
    const label = `${format}, ${target} ${edit.name}${hasLedger ? '' : ', no ledger'}${isLate ? ', late' : ''}:`;
    names.add(edit.name);
    await inFolder((folder) => new Scene(program, folder, trial, label, report).play());
    report.count('runs');
  });
  report.figures.edits = names.size;
  return report;
}

class Scene {
  readonly #program: Program;
  readonly #folder: string;
  readonly #trial: Trial;
  readonly #label: string;
  readonly #notes: Notes;
  readonly #paths: Readonly<Record<Trial['target'], string>>;

  constructor(program: Program, folder: string, trial: Trial, label: string, report: Notes) {
    this.#program = program;
    this.#folder = folder;
    this.#trial = trial;
    this.#label = label;
    this.#notes = report;
    this.#paths = pathsOf(trial);
  }

  async play(): Promise<void> {
    const { edit, target } = this.#trial;
    for (const name of ['data', 'other']) mkdirSync(join(this.#folder, name));
    const stage = this.#start();
    for (const record of BEFORE) await this.#give(stage, record);
    if (target === 'rejects') await this.#reject(stage);
    const place = this.#at(target);
    const ours = statSync(place);
    edit.act(place);
    const edited = isFileOf(place, ours) ? undefined : contentsOf(place);
    for (const record of this.#trial.isLate ? [] : AFTER) await this.#give(stage, record);
    const code = await stage.end();
    this.#checkEnd(stage, code);
    await this.#checkLedger(stage, code);
    await this.#checkAcknowledged(stage);
    if (edited !== undefined && code !== NORMAL && contentsOf(place) !== edited)
      this.#add('other', `the file that took the place of ${this.#paths[target]} was changed`);
    this.#repair(stage);
    await this.#again();
  }

  #at(target: Trial['target']): string {
    return join(this.#folder, this.#paths[target]);
  }

  #add(kind: Parameters<Notes['add']>[0], words: string): void {
    this.#notes.add(kind, `${this.#label} ${words}`);
  }

  #start(more: readonly string[] = []): FedStage {
    const { output, ledger, rejects } = this.#paths;
    const options = this.#trial.hasLedger ? ['--ledger', ledger] : [];
    return new FedStage(this.#program, this.#folder, [
      ...['task-save', output, '--flush', '1', '--tee', '--rejects', rejects],
      ...options,
      ...more,
    ]);
  }

  async #give(stage: FedStage, record: string): Promise<void> {
    stage.give(record);
    await stage.until(() => stage.stdout.includes(record));
  }

  /** Sends an invalid line and waits until it is in the rejects file. */
  async #reject(stage: FedStage): Promise<void> {
    stage.give(BAD_LINE);
    await stage.until(() => stage.stderr.includes('stdin:4'));
    const path = this.#at('rejects');
    for (let i = 0; statSync(path).size === 0 && i < 1000; i++) await new Promise(setImmediate);
  }

  #checkEnd({ stderr }: FedStage, code: number | undefined): void {
    const { edit, target } = this.#trial;
    const stops = edit.kind !== 'goes on';
    if (code === undefined) this.#add('hang', stderr);
    else if (code !== (stops ? 74 : NORMAL)) this.#add('exit code', `${code}: ${stderr}`);
    // If the folder is gone, other files are gone too, and the message names one of them.
    const path = this.#paths[target];
    const named = FOLDER_EDITS.includes(edit) ? `${dirname(path)}/` : path;
    if (stops && !(stderr.includes(named) && stderr.includes('run the same command again')))
      this.#add('other', `it does not say what happened and what to do: ${stderr}`);
  }

  /** Checks that each uuid in the ledger has a row, unless the message named the output. */
  async #checkLedger({ stderr }: FedStage, code: number | undefined): Promise<void> {
    const rows = await this.#rows();
    const isSaid = code !== 0 && code !== NORMAL && stderr.includes('data/');
    for (const uuid of this.#finished()) {
      if (!rows.includes(uuid) && uuid !== FOREIGN && !isSaid) this.#add('false ledger line', uuid);
    }
  }

  /** Checks that each acknowledged record is in a file, unless the edit removed it for good. */
  async #checkAcknowledged({ stdout }: FedStage): Promise<void> {
    const { edit, target, format } = this.#trial;
    const isChecked = target === 'output' || target === 'ledger'; // each commit checks these two
    if (isChecked && edit.kind !== 'goes on' && stdout.includes('"uuid":"t4"'))
      this.#add('lost', 't4 was acknowledged after the edit');
    if (edit.kind === 'loses' || format === 'db') return;
    const all = filesIn(this.#folder).map((path) => readFileSync(path, 'utf8'));
    for (const uuid of GOOD) {
      const isThere = all.some((text) => text.includes(`${uuid}"`) || text.includes(`${uuid},`));
      if (stdout.includes(`"uuid":"${uuid}"`) && !isThere)
        this.#add('lost', `${uuid} was acknowledged, and is in no file`);
    }
  }

  /** Follows the message, and does what a person would do before running the command again. */
  #repair({ stderr }: FedStage): void {
    const { edit, target } = this.#trial;
    edit.repair?.(this.#at(target));
    const [, advice] = /to continue with it: (mv .*), then run the same command again/.exec(stderr) ?? [];
    if (advice === undefined) return;
    const { status } = spawnSync('sh', ['-c', advice], { cwd: this.#folder });
    if (status !== 0) this.#add('other', `the advice fails: ${advice}`);
  }

  async #again(): Promise<void> {
    let stage = await this.#rerun();
    if (stage.code === 65 && stage.stderr.includes('add --accept-edits')) {
      // The message named the missing rows, and the person runs their tasks again.
      stage = await this.#rerun('--accept-edits');
    }
    if (stage.code !== NORMAL) this.#add('exit code', `${stage.code} of the next run: ${stage.stderr}`);
    const rows = await this.#rows();
    if (new Set(rows).size < rows.length) this.#add('double', rows.join());
    for (const uuid of GOOD) if (!rows.includes(uuid)) this.#add('lost', `${uuid} has no row`);
    if (!this.#trial.hasLedger) return;
    const finished = this.#finished();
    for (const uuid of GOOD) if (!finished.has(uuid)) this.#add('lost', `${uuid} is not in the ledger`);
    for (const uuid of finished) {
      if (uuid !== FOREIGN && !rows.includes(uuid))
        this.#add('false ledger line', `${uuid} after the next run`);
    }
  }

  async #rerun(...more: readonly string[]): Promise<{ code: number | undefined; stderr: string }> {
    const stage = this.#start(more);
    stage.give([...BEFORE, ...AFTER].join(''));
    const code = await stage.end();
    return { code, stderr: stage.stderr };
  }

  #finished(): ReadonlySet<string> {
    const path = this.#at('ledger');
    return contentsOf(path) === undefined ? new Set() : finishedIn(path);
  }

  async #rows(): Promise<readonly string[]> {
    const path = this.#at('output');
    if (!existsSync(path) || !statSync(path).isFile()) return [];
    if (this.#trial.format !== 'db') return rowsOf(path).uuids;
    if (statSync(path).size === 0) return [];
    const database = await openDatabase(path);
    try {
      const [[isSound] = []] = await database.all('pragma integrity_check');
      if (isSound !== 'ok') this.#add('other', `the database is damaged: ${isSound}`);
      const tables = await database.all("select 1 from sqlite_schema where name = 'tasks'");
      const rows = tables.length === 0 ? [] : await database.all('select uuid from tasks');
      return rows.map(([uuid]) => String(uuid));
    } finally {
      database.close();
    }
  }
}

/** Returns whether a path leads to this file. */
function isFileOf(path: string, { ino }: Stats): boolean {
  return statSync(path, { throwIfNoEntry: false })?.ino === ino;
}

/** Returns the bytes of the file at a path; undefined if there is none. */
function contentsOf(path: string): string | undefined {
  return existsSync(path) && statSync(path).isFile() ? readFileSync(path, 'latin1') : undefined;
}

function filesIn(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true })
    .map((name) => join(folder, String(name)))
    .filter((path) => existsSync(path) && statSync(path).isFile());
}
