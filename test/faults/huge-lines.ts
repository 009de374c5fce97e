import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { sh } from '../support/run.ts';
import type { Program } from './support/program.ts';
import type { Breach, Report } from './support/report.ts';

export interface HugeAmount {
  /** Length of a line in MB. */
  readonly megabytes: number;
}

/** Maximum memory of a stage in MB, however long a line is. */
const MOST_MEMORY = 250;

const PEAK = `import { writeFileSync } from 'node:fs';
process.on('exit', () => writeFileSync('peak', String(process.resourceUsage().maxRSS / 1024)));`;

/** Stage with a huge input and its expected result. */
interface Trial {
  /** Shell command that writes the input. In it, `huge` writes one letter for the length of a line. */
  readonly input: string;
  readonly command: string;
  /** Expected rejects as `line code`, or the expected stderr. */
  readonly bad: readonly string[] | RegExp;
  /** Expected number of records. */
  readonly records: number;
}

const AFTER = `echo '{"uuid":"after"}'`;
/** A huge line, then a normal one. */
const LINES = `huge; echo; ${AFTER}`;
/** A record with a million levels, then a normal one. */
const DEEP = `printf '{"uuid":"deep","x":'; deep '['; deep ']'; echo '}'; ${AFTER}`;
const EXEC = 'task-exec --http --dry-run --url http://h/';
const SAVE = 'task-save out.csv --quiet; code=$?; sed 1d out.csv; exit $code';
const LONG = ['1 LONG'];
const TOO_DEEP = ['1 DEPTH'];

const TRIALS: Readonly<Record<string, Trial>> = {
  'a line, into load': { input: LINES, command: 'task-load --format ndjson', bad: LONG, records: 1 },
  'a plain line, into load': { input: LINES, command: 'task-load --format lines', bad: LONG, records: 1 },
  'input without any newline': { input: 'huge', command: 'task-load', bad: LONG, records: 0 },
  'a line, into exec': { input: LINES, command: EXEC, bad: LONG, records: 1 },
  'a line, into save': { input: LINES, command: SAVE, bad: LONG, records: 1 },
  'a line, into done': { input: LINES, command: 'task-done mark l.jsonl', bad: LONG, records: 1 },
  'a line of a ledger': {
    input: LINES,
    command: 'cat > l.jsonl; task-done list l.jsonl; : > bad.ndjson; task-done check l.jsonl',
    bad: /l\.jsonl:1: longer than 1 MB\n/,
    records: 1,
  },
  'a cell of CSV': {
    input: `printf 'a,b\\n"'; huge; printf '",2\\n3,4\\n'`,
    command: 'task-load --format csv',
    bad: ['2 LONG'],
    records: 1,
  },
  'a cell of CSV whose quote is never closed': {
    input: `printf 'a,b\\n1,2\\n"'; huge; printf '\\n3,4\\n'`,
    command: 'task-load --format csv',
    bad: ['3 LONG'],
    records: 1,
  },
  'a string in a JSON array': {
    input: `printf '["'; huge; printf '",{"a":1}]'`,
    command: 'task-load --format json',
    bad: LONG,
    records: 1,
  },
  'a line that was packed': {
    input: 'cat packed.gz',
    command: 'task-load --format ndjson',
    bad: LONG,
    records: 1,
  },
  'a million levels, into load': { input: DEEP, command: 'task-load', bad: TOO_DEEP, records: 1 },
  'a million levels of an array, into load': {
    input: `printf '[{"x":'; deep '['; deep ']'; echo '},{"a":1}]'`,
    command: 'task-load --format json',
    bad: TOO_DEEP,
    records: 1,
  },
  'a million levels, into exec': { input: DEEP, command: EXEC, bad: TOO_DEEP, records: 1 },
  'a million levels, into save': { input: DEEP, command: SAVE, bad: TOO_DEEP, records: 1 },
  'a million levels, into done': {
    input: DEEP,
    command: 'task-done mark l.jsonl',
    bad: TOO_DEEP,
    records: 1,
  },
  'sixteen million levels that are never closed': {
    input: `head -c 16000000 /dev/zero | tr '\\0' '['; echo; ${AFTER}`,
    command: 'task-load --format ndjson',
    bad: TOO_DEEP,
    records: 1,
  },
  'sixteen million bytes that are not text': {
    input: `head -c 16000000 /dev/zero | tr '\\0' '\\377'; echo; ${AFTER}`,
    command: 'task-load --format ndjson',
    bad: ['1 UTF8'],
    records: 1,
  },
  'a record of a hundred thousand members': {
    input: `echo "{$(seq -s, -f '"k%.0f":%.0f' 100000 | sed 's/:[^,]*/:1/g')}"`,
    command: 'task-load --format ndjson',
    bad: [],
    records: 1,
  },
};

/**
 * Passes huge or deeply nested lines to stages. Each is rejected with its position, the next line is still
 * read, and memory is bounded.
 */
export async function hugeLines(program: Program, { megabytes }: HugeAmount): Promise<Report> {
  const figures = { trials: 0, megabytes: 0, 'highest peak in MB': 0 };
  const breaches: Breach[] = [];
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'taskpipe-huge-'));
  const shell = `huge() { head -c ${megabytes}M /dev/zero | tr '\\0' a; }; deep() { head -c 1000000 /dev/zero | tr '\\0' "$1"; }`;
  const packed = packedLine(megabytes);
  const tryOne = async (name: string, { input, command, bad, records }: Trial): Promise<void> => {
    const cwd = join(folder, String(figures.trials++));
    mkdirSync(cwd);
    if (input.includes('packed.gz')) writeFileSync(join(cwd, 'packed.gz'), packed);
    writeFileSync(join(cwd, 'peak.mjs'), PEAK);
    const env = { ...program.env, NODE_OPTIONS: '--import ./peak.mjs', TASK_REJECTS: 'bad.ndjson' };
    const { code, signal, stdout, stderr } = await sh(`${shell}; { ${input}; } | { ${command}; }`, {
      cwd,
      env,
    });
    const breach = (kind: Breach['kind'], words: string): void =>
      void breaches.push({ kind, words: `${name}: ${words}` });
    const said = stderr.slice(0, 500);
    if (signal !== null || code === 70 || code === 134 || code === 139)
      breach('crash', `${signal ?? code}: ${said}`);
    else if (code !== (Array.isArray(bad) && bad.length === 0 ? 0 : 1))
      breach('exit code', `${code}: ${said}`);
    const peak = Number(readFileSync(join(cwd, 'peak'), 'utf8'));
    if (peak > MOST_MEMORY) breach('memory', `${Math.round(peak)} MB`);
    const lines = stdout.split('\n').filter((line) => line !== '');
    if (lines.length !== records)
      breach('lost', `${lines.length} records came out, and not ${records}: ${said}`);
    const named = readFileSync(join(cwd, 'bad.ndjson'), 'utf8')
      .split('\n')
      .filter((line) => line !== '');
    const places = named.map((line) => JSON.parse(line)).map((one) => `${one.line} ${one.code}`);
    const isNamed = bad instanceof RegExp ? bad.test(stderr) : places.join() === bad.join();
    if (!isNamed) breach('lost', `${places.join() || 'nothing'} was rejected: ${said}`);
    figures['highest peak in MB'] = Math.max(figures['highest peak in MB'], Math.round(peak));
    rmSync(cwd, { recursive: true });
  };
  const trials = Object.entries(TRIALS);
  const lane = async (of: number): Promise<void> => {
    for (const [name, trial] of trials.filter((_, i) => i % 2 === of)) await tryOne(name, trial);
  };
  await Promise.all([lane(0), lane(1)]) // one lane per core
    .finally(() => rmSync(folder, { recursive: true }));
  figures.megabytes = megabytes;
  return { figures, breaches };
}

/**
 * Returns a huge line and a normal one, compressed. The gzip file has many members of the same bytes, so it
 * is made quickly.
 */
function packedLine(megabytes: number): Buffer {
  const member = gzipSync(Buffer.alloc(16 * 1024 * 1024, 'a'));
  const members = new Array<Buffer>(Math.ceil(megabytes / 16)).fill(member);
  return Buffer.concat([...members, gzipSync('\n{"uuid":"after"}\n')]);
}
