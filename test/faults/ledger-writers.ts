import { appendFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { sh } from '../support/run.ts';
import { after, inFolder, type Notes, notes, randomFrom } from './support/live.ts';
import { breachesOf, finishedIn } from './support/oracle.ts';
import type { Program } from './support/program.ts';
import type { Report } from './support/report.ts';
import { LEDGER, live, type Writer, writersIn } from './support/writers.ts';

/*
 * Four writers append to one ledger. They are killed and restarted while other processes read and compact the
 * ledger.
 */

/** Number of kills of a writer between two checks without writers. */
const LIVES = 3;

interface Trial {
  readonly folder: string;
  readonly writers: readonly Writer[];
  readonly notes: Notes;
  readonly random: () => number;
  /** Runs a command in the folder. */
  readonly task: (command: string) => ReturnType<typeof sh>;
  readonly add: Notes['add'];
  /** Number of compactions that are running, and number of lines without an end to append when none is. */
  compacting: number;
  torn: number;
}

/**
 * Kills and restarts the writers.
 * @param kills total number of kills
 * @param seed seed of the moments of the kills
 */
export async function ledgerWriters(program: Program, kills: number, seed = Date.now()): Promise<Report> {
  const report = notes();
  const random = randomFrom(seed);
  await inFolder(async (folder) => {
    const add: Notes['add'] = (kind, words) => report.add(kind, `seed ${seed}: ${words}`);
    const writers = writersIn({ program, folder, add });
    const task = (command: string): ReturnType<typeof sh> => sh(command, { cwd: folder, env: program.env });
    const trial: Trial = { folder, writers, notes: report, random, task, add, compacting: 0, torn: 0 };
    let isOver = false;
    const reading = read(trial, () => isOver);
    while ((report.figures.kills ?? 0) < kills && report.breaches.length < 100) {
      await Promise.all([compact(trial, random() * 200), ...writers.map((writer) => lives(trial, writer))]);
    }
    isOver = true;
    await reading;
    await Promise.all(writers.map((writer) => live(writer)));
    await check(trial);
  });
  return report;
}

/** Kills a writer several times. One kill in four leaves a line without an end, as of a fifth writer. */
async function lives(trial: Trial, writer: Writer): Promise<void> {
  const { notes, random } = trial;
  for (let i = 0; i < LIVES; ) {
    // One kill in five comes during the start.
    const moment = random() < 0.2 ? { at: random() * 300 } : { acknowledged: Math.ceil(random() * 800) };
    const wasKilled = await live(writer, moment);
    if (!wasKilled) notes.count('turned away while the ledger was compacted');
    else {
      notes.count('kills');
      i++;
    }
    if (random() < 0.25) trial.torn++;
    tear(trial);
  }
}

/** Appends lines without an end. It takes no lock, so it waits until no compaction runs. */
function tear(trial: Trial): void {
  if (trial.compacting > 0) return;
  for (; trial.torn > 0; trial.torn--)
    appendFileSync(join(trial.folder, LEDGER), '{"uuid":"torn","at":"2026-01-0');
}

/** Reads the ledger again and again. A reader must never fail, whatever is being written. */
async function read(trial: Trial, isOver: () => boolean): Promise<void> {
  const { writers, notes, random, task, add } = trial;
  for (let i = 0; !isOver(); i++) {
    const known = writers.flatMap(({ acknowledged }) => [...acknowledged]);
    const some = known.filter(() => random() < 3 / known.length);
    if (i % 3 === 0) await compact(trial, 0);
    else if (i % 3 === 1 && some.length > 0) {
      const { code, stderr } = await task(
        `task-done has ${LEDGER} ${some.map((uuid) => `'${uuid}'`).join(' ')}`,
      );
      if (code !== 0) add('lost', `task-done has ${some.join(' ')}: ${code} ${stderr}`);
      notes.count('reads');
    } else {
      const { code, stdout, stderr } = await task(`task-done list ${LEDGER}`);
      const listed = new Set(stdout.split('\n'));
      const lost = known.find((uuid) => !listed.has(uuid));
      if (code !== 0) add('exit code', `task-done list: ${code} ${stderr}`);
      if (lost !== undefined)
        add('lost', `task-done list: ${lost} was acknowledged before, and is not listed`);
      notes.count('reads');
    }
    await after(100);
  }
}

/** Compacts the ledger, which task-done refuses while a process writes. One compaction in three is killed. */
async function compact(trial: Trial, at: number): Promise<void> {
  const { notes, random, task, add } = trial;
  await after(at);
  const killed = random() < 0.3 ? `timeout -s KILL ${(random() * 0.3).toFixed(3)} ` : '';
  trial.compacting++;
  const { code, stderr } = await task(`${killed}task-done compact ${LEDGER} --quiet`);
  trial.compacting--;
  tear(trial);
  if (code === 0) notes.count('compacted');
  else if (code === 75) notes.count('compaction refused');
  else if (code === null || code === 137) notes.count('compaction killed');
  else add('exit code', `task-done compact: ${code} ${stderr}`);
}

/** Checks the ledger after all writers have ended: it has every acknowledged uuid, and no torn line. */
async function check({ folder, writers, notes, task, add }: Trial): Promise<void> {
  const finished = finishedIn(join(folder, LEDGER));
  for (const { name, out, given, acknowledged } of writers) {
    for (const uuid of acknowledged)
      if (!finished.has(uuid)) add('lost', `${uuid} was acknowledged, and is not in the ledger`);
    if (acknowledged.size !== given.size)
      add('lost', `${name}: ${acknowledged.size} of ${given.size} came out`);
    for (const uuid of given) finished.delete(uuid);
    if (out !== undefined)
      notes.breaches.push(...breachesOf({ folder, out, acknowledged, rows: given, label: name }));
    notes.figures['acknowledged lines'] = (notes.figures['acknowledged lines'] ?? 0) + acknowledged.size;
  }
  for (const uuid of finished)
    add('other', `${JSON.stringify(uuid)} is in the ledger, but no writer wrote it`);
  await checkVerbs(folder, task, add);
}

/** Checks that `task-done check` names exactly the torn lines, and that `count` agrees with JSON.parse. */
async function checkVerbs(folder: string, task: Trial['task'], add: Notes['add']): Promise<void> {
  const lines = readFileSync(join(folder, LEDGER), 'utf8').split('\n');
  const torn = lines.flatMap((line, i) => (line === '' || isJson(line) ? [] : [`${i + 1}`]));
  const { code, stderr } = await task(`task-done check ${LEDGER}`);
  const named = [...stderr.matchAll(/^task-done: ledger:(\d+): /gm)].map(([, line]) => line);
  if (named.join() !== torn.join() || code !== (torn.length > 0 ? 1 : 0))
    add('other', `task-done check (${code}) names the lines ${named.join()}; ${torn.join()} are torn`);
  const { stdout } = await task(`task-done count ${LEDGER}`);
  const { size } = finishedIn(join(folder, LEDGER));
  if (Number(stdout) !== size) add('other', `task-done count says ${stdout.trim()}, JSON.parse ${size}`);
}

function isJson(line: string): boolean {
  try {
    JSON.parse(line);
    return true;
  } catch {
    return false;
  }
}
