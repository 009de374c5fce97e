import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sh } from '../support/run.ts';
import { type Edit, NEW, OLDER, RECORDS } from './edits/edit.ts';
import { type Format, formats } from './edits/formats.ts';
import { finishedIn } from './support/oracle.ts';
import type { Program } from './support/program.ts';
import type { Breach, Report } from './support/report.ts';

/** The executable runs one case in this many; the library runs the others. */
const SAMPLE = 15;

/** Folder in which a person edits an output. */
interface Case {
  readonly format: Format;
  readonly edit: Edit;
  readonly folder: string;
  readonly out: string;
  readonly ledger: string | undefined;
  readonly save: Save;
  readonly breaches: Breach[];
}

/** Result of a run. */
interface Ended {
  readonly code: number;
  readonly words: string;
}

type Save = (
  state: Pick<Case, 'out' | 'ledger'>,
  records: readonly string[],
  acceptEdits?: boolean,
) => Promise<Ended>;

/** Selection of cases for builds with a mistake. Default: all. */
export interface EditAmount {
  readonly out?: string;
  readonly names?: RegExp;
}

/**
 * Saves, edits the output as a person would, and saves again: with and without a ledger, which is beside the
 * output or in another folder.
 */
export async function editsBetween(program: Program, { out, names = /./ }: EditAmount = {}): Promise<Report> {
  const breaches: Breach[] = [];
  const library = await libraryOf(program);
  const base = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'taskpipe-edits-'));
  let edits = 0;
  try {
    for (const format of formats.filter((one) => out === undefined || one.out === out)) {
      for (const hasLedger of [true, false]) {
        const before = join(base, `${format.out}-${hasLedger}`);
        await prepare(library, format, before, hasLedger);
        for (const edit of format.edits.filter(({ name }) => names.test(name))) {
          const folder = join(base, `${edits}`);
          cpSync(before, folder, { recursive: true });
          const isAlone = edit.isAlone === true && format.replaces;
          const save = edits++ % SAMPLE === 0 || isAlone ? byExecutable(program) : library;
          await tryEdit({ format, edit, folder, save, breaches, ...placesIn(folder, format, hasLedger) });
          rmSync(folder, { recursive: true });
        }
      }
    }
  } finally {
    rmSync(base, { recursive: true });
  }
  return { figures: { edits }, breaches };
}

/**
 * Returns the paths of output and ledger. The ledger of CSV and of databases is beside the output, the others
 * are in another folder.
 */
function placesIn(
  folder: string,
  { out }: Format,
  hasLedger: boolean,
): { out: string; ledger: string | undefined } {
  const place = /csv|db/.test(out) ? 'out' : 'ledgers';
  return { out: join(folder, 'out', out), ledger: hasLedger ? join(folder, place, 'done.jsonl') : undefined };
}

/** Makes the output by two successful runs. A copy between them serves as the older copy of some edits. */
async function prepare(save: Save, format: Format, folder: string, hasLedger: boolean): Promise<void> {
  for (const name of ['out', 'ledgers']) mkdirSync(join(folder, name), { recursive: true });
  const places = placesIn(folder, format, hasLedger);
  await save(places, RECORDS.slice(0, OLDER));
  cpSync(places.out, join(folder, 'older'));
  await save(places, RECORDS);
}

async function tryEdit(state: Case): Promise<void> {
  const { edit, format, out, ledger, save, folder } = state;
  await save(state, []); // the copy is compared with the state that this run leaves
  await edit.apply({ path: out, old: readFileSync(join(folder, 'older')) });
  const before = await lookAt(state);
  const finished = finishedOf(state);
  const input = await inputOf(state, before);
  const first = await save(state, input);
  await judge(state, before, first, input);
  judgeLedger(state, finished, first);
  judgeKind(state, first);
  const canAccept = !format.replaces || ledger !== undefined;
  if (first.code === 65 && !canAccept) return;
  if (first.code === 65) {
    const accepted = await save(state, input, true);
    await judge(state, before, accepted, input);
    judgeLedger(state, finished, accepted);
    if (accepted.code > 1 && first.words.includes('--accept-edits'))
      add(state, 'other', `--accept-edits was advised, and is refused: ${accepted.words}`);
    if (edit.kind === 'lossy' && ledger !== undefined) {
      if (accepted.code > 1)
        add(state, 'exit code', `${accepted.code} with --accept-edits: ${accepted.words}`);
      else if (!/\d+ rows? (is|are) gone/.test(accepted.words))
        add(state, 'other', `it does not say what is gone: ${accepted.words}`);
    }
    if (accepted.code > 1) return;
  }
  const whole = await lookAt(state);
  // Without a ledger, nothing records that rows without a uuid were accepted.
  const again = await save(state, input, ledger === undefined && first.code === 65);
  const after = await lookAt(state);
  if (again.code > 1) add(state, 'exit code', `${again.code} at the run after it: ${again.words}`);
  if (!state.format.replaces && after.content !== whole.content)
    add(state, 'double', 'another run changed the output');
}

/** Returns the finished uuids of the ledger as one text. */
function finishedOf({ ledger }: Case): string {
  return ledger === undefined ? '' : [...finishedIn(ledger)].sort().join();
}

/** Checks that a run that ends with an error has not changed the ledger. */
function judgeLedger(state: Case, finished: string, { code, words }: Ended): void {
  if (code > 1 && finishedOf(state) !== finished)
    add(state, 'lost', `it was refused, and changed the ledger: ${words}`);
}

/** Contents of an output, read by independent code. */
interface Look {
  readonly uuids: readonly string[];
  readonly content: string;
}

async function lookAt({ format, out }: Case): Promise<Look> {
  const content = await format.content(out);
  // Text in another format has no rows.
  return { content, uuids: await format.uuids(out).catch(() => []) };
}

/**
 * Returns all records, as a pipeline without a ledger would pass them; for a database, only those that
 * replace no row.
 */
async function inputOf({ format }: Case, { uuids }: Look): Promise<readonly string[]> {
  const all = [...RECORDS, NEW];
  return format.replaces ? all.filter((line) => !uuids.includes(uuidOf(line))) : all;
}

function uuidOf(line: string): string {
  return (JSON.parse(line) as { uuid: string }).uuid;
}

/** Checks the promises that hold after any edit. */
async function judge(
  state: Case,
  before: Look,
  { code, words }: Ended,
  input: readonly string[],
): Promise<void> {
  const { format, out, ledger, edit } = state;
  const after = await lookAt(state);
  if (code > 1) {
    if (code !== 65) add(state, 'exit code', `${code}: ${words}`);
    if (!words.includes('out.')) add(state, 'other', `the output is not named: ${words}`);
    if (after.content !== before.content) add(state, 'lost', `it was refused, and changed`);
    return;
  }
  const asides = [...words.matchAll(/moved to (\S+)/g)].map(([, path]) =>
    readFileSync(String(path), 'latin1'),
  );
  if (!format.isKept(before.content, after.content, asides))
    add(state, 'lost', 'what a person had written is gone');
  if (edit.kind === 'broken' && ledger === undefined && asides.length === 0) return; // reported by judgeKind
  for (const uuid of new Set(after.uuids)) {
    const most = Math.max(1, countOf(before.uuids, uuid));
    if (countOf(after.uuids, uuid) > most) add(state, 'double', `${uuid} has another row`);
  }
  const rest = `${out}.rest.ndjson`;
  const left = existsSync(rest) ? readFileSync(rest, 'utf8') : '';
  for (const uuid of input.map(uuidOf))
    if (!after.uuids.includes(uuid) && !left.includes(JSON.stringify(uuid)))
      add(state, 'lost', `${uuid} is nowhere`);
  if (ledger === undefined) return;
  for (const uuid of finishedIn(ledger))
    if (!after.uuids.includes(uuid)) add(state, 'false ledger line', `${uuid} has no row`);
}

function countOf(uuids: readonly string[], uuid: string): number {
  return uuids.filter((other) => other === uuid).length;
}

/** Checks the exit code and the message that this kind of edit requires. */
function judgeKind(state: Case, { code, words }: Ended): void {
  const { edit, ledger } = state;
  const isRefused = code === 65;
  const mustRefuse = edit.kind === 'broken' || (ledger !== undefined && edit.kind !== 'harmless');
  if (mustRefuse && !isRefused) add(state, 'exit code', `${code}, not 65: ${words}`);
  if (edit.kind === 'harmless' && isRefused) add(state, 'exit code', `65: ${words}`);
  const isMissing = /\d+ rows? (is|are) missing/.test(words);
  if (edit.kind === 'broken' && isMissing) add(state, 'other', `no row is missing: ${words}`);
  const isCounted = /\d+ rows? (is|are) missing|names \d+ rows? of it/.test(words);
  if (edit.kind === 'lossy' && ledger !== undefined && isRefused && !isCounted)
    add(state, 'other', `it does not say how many rows are missing: ${words}`);
}

function add({ format, edit, ledger, breaches }: Case, kind: Breach['kind'], words: string): void {
  const label = `${format.out} ${ledger === undefined ? 'without' : 'with'} a ledger, ${edit.name}:`;
  breaches.push({ kind, words: `${label} ${words}` });
}

async function libraryOf(program: Program): Promise<Save> {
  const { save, Task } = await program.library();
  return async ({ out, ledger }, records, acceptEdits) => {
    const said: string[] = [];
    const tell = (message: string): void => void said.push(message);
    async function* tasks() {
      yield records.map((line) => new Task(uuidOf(line), line));
    }
    try {
      const { failed, misfits } = await save(tasks(), out, { ledger, acceptEdits, warn: tell, info: tell });
      return { code: failed + misfits > 0 ? 1 : 0, words: said.join('\n') };
    } catch (error) {
      const { code, message = String(error) } = error as { code?: string; message?: string };
      return {
        code: code === 'DATA' ? 65 : code === 'IO' ? 74 : code === 'USAGE' ? 2 : 70,
        words: [...said, message].join('\n'),
      };
    }
  };
}

function byExecutable({ env }: Program): Save {
  return async ({ out, ledger }, records, acceptEdits) => {
    const options = [
      ledger === undefined ? '' : `--ledger ${ledger}`,
      acceptEdits ? '--accept-edits' : '',
    ].join(' ');
    const input = records.map((line) => `${line}\n`).join('');
    const { code, stderr } = await sh(`task-save ${out} ${options}`, { env, input });
    return { code: code ?? -1, words: stderr };
  };
}
