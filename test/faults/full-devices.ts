import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Ended, freshFolder, sh } from '../support/run.ts';
import { finishedIn, rowsOf } from './support/oracle.ts';
import type { Program } from './support/program.ts';
import type { Breach, Report } from './support/report.ts';

const RECORDS = '{"uuid":"a","n":1}\n{"uuid":\n{"uuid":"b","n":2,"run":{"state":"FAILURE"}}\n';
const CSV = 'n\n1\n2,3\n';

/**
 * Commands that write to /dev/full, and the message of each. They can use the files `in`, `a.csv` and
 * `l.jsonl`.
 */
const FULL: readonly (readonly [command: string, says: RegExp])[] = [
  ...[
    'task-load a.csv',
    'task-load --version',
    'task-load --help',
    'task-exec --http --url http://127.0.0.1:1/ --retries 0 < in',
    'task-save - < in',
    'task-save - --format csv < in',
    'task-save out.csv --ledger new.jsonl --tee < in',
    'task-done list l.jsonl',
    'task-done count l.jsonl',
    'task-done only l.jsonl < in',
    'task-done skip new.jsonl < in',
    'task-done mark new.jsonl < in',
    'task-done unmark new.jsonl < in',
  ].map((command) => [`${command} > /dev/full`, /cannot write the standard output: no space left/] as const),
  ['task-load a.csv --rejects /dev/full', /cannot write --rejects \/dev\/full: no space left/],
  ['task-save out.csv --rejects /dev/full < in', /cannot write --rejects \/dev\/full: no space left/],
  ['task-done only l.jsonl --rejects /dev/full < in', /cannot write --rejects \/dev\/full: no space left/],
  ['task-save out.csv --ledger /dev/full < in', /cannot write to the ledger \/dev\/full: no space left/],
  ['task-done mark /dev/full < in', /cannot write to the ledger \/dev\/full: no space left/],
];

/**
 * Commands that refuse an output that is not a file. A FIFO stands for a device, which would be replaced by a
 * file.
 */
const REFUSED: readonly string[] = [
  'task-save full.csv < in',
  'task-save full.csv --overwrite < in',
  'task-save out.csv --rest fifo < in',
  'task-done clear fifo --yes',
];

/**
 * Runs commands that write to /dev/full.
 * @param most maximum number of commands
 */
export async function fullDevices(program: Program, most: number = FULL.length): Promise<Report> {
  const commands = FULL.slice(0, most);
  const breaches: Breach[] = [];
  for (const [command, says] of commands) {
    const cwd = makeFolder();
    const { code, stderr } = await run(program, command, cwd);
    if (code !== 74)
      breaches.push({ kind: code === 137 ? 'hang' : 'exit code', words: `${command}: ${code}` });
    if (!says.test(stderr)) breaches.push({ kind: 'other', words: `${command}: it says ${stderr}` });
    if (/\n +at /.test(stderr)) breaches.push({ kind: 'crash', words: `${command}: ${stderr}` });
    // Saved records stay saved although the next stage did not receive them.
    const rows = rowsOf(join(cwd, 'out.csv')).uuids;
    const isSaver = /^task-save out.csv.*(tee|rejects)/.test(command);
    if (isSaver && rows.join() !== 'a') breaches.push({ kind: 'lost', words: `${command}: a has no row` });
    if (command.includes('--tee') && !finishedIn(join(cwd, 'new.jsonl')).has('a'))
      breaches.push({ kind: 'lost', words: `${command}: a is not in the ledger` });
  }
  for (const command of REFUSED) {
    const cwd = makeFolder();
    const { code, stderr } = await run(program, `mkfifo fifo; ln -s /dev/full full.csv; ${command}`, cwd);
    const { stdout } = await sh('ls -F', { cwd });
    if (code !== 2 || !/is not a file/.test(stderr))
      breaches.push({ kind: 'exit code', words: `${command}: ${code} ${stderr}` });
    if (!stdout.includes('fifo|') || /\.run|\.new/.test(stdout))
      breaches.push({ kind: 'other', words: `${command}: it leaves ${stdout}` });
  }
  return { figures: { commands: commands.length + REFUSED.length }, breaches };
}

/** Redirections that lose all messages. */
const DEAF = ['2> /dev/full', '2>&-', '2> >(exit)'];

/** Commands that print messages. */
const SAYING = [
  'task-load a.csv',
  'task-load --nonsense',
  'task-load nofile',
  'task-exec --http --url http://127.0.0.1:1/ --retries 0 < in | wc -l',
  'task-save out.csv --tee < in',
  'task-save nofolder/out.csv < in',
  'task-done check l.jsonl',
  'task-done nonsense',
];

/**
 * Runs commands whose messages are lost: records and exit code must stay the same.
 * @param most maximum number of commands
 */
export async function unheardWords(program: Program, most: number = SAYING.length): Promise<Report> {
  const commands = SAYING.slice(0, most);
  const breaches: Breach[] = [];
  for (const command of commands) {
    const heard = await run(program, `set -o pipefail; ${command}`, makeFolder());
    for (const deaf of DEAF) {
      const unheard = await run(program, `exec ${deaf}; set -o pipefail; ${command}`, makeFolder());
      const words = `${command} ${deaf}: ${unheard.code} ${unheard.stdout} instead of ${heard.code} ${heard.stdout}`;
      if (unheard.code !== heard.code) breaches.push({ kind: 'exit code', words });
      else if (unheard.stdout !== heard.stdout) breaches.push({ kind: 'lost', words });
    }
  }
  return { figures: { unheard: commands.length * DEAF.length }, breaches };
}

function makeFolder(): string {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'a.csv'), CSV);
  writeFileSync(join(cwd, 'in'), RECORDS);
  writeFileSync(join(cwd, 'l.jsonl'), '{"uuid":"a","at":"2024-01-01T00:00:00.000Z"}\ntorn\n');
  return cwd;
}

/** Runs a command. One that hangs is killed and ends with 137. */
function run(program: Program, command: string, cwd: string): Promise<Ended> {
  return sh(`timeout -s KILL 20 bash -c '${command}'`, { cwd, env: program.env });
}
