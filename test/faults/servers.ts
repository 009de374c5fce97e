import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { AUTHORITY } from '../support/certificates.ts';
import { type Ended, freshFolder, sh } from '../support/run.ts';
import type { FaultCase } from './support/fault-case.ts';
import { faultCases } from './support/fault-cases.ts';
import { type Places, startServers, wellOf } from './support/fault-servers.ts';
import type { Program } from './support/program.ts';
import type { Breach, Report } from './support/report.ts';

/* Hostile servers as a user meets them: among good ones, all in one run of task-exec, which has secrets. */

/** Record with its expected result. */
interface Asked {
  readonly record: { readonly uuid: string; readonly [name: string]: unknown };
  readonly wanted: FaultCase;
}

/** Record from task-exec. */
interface Came {
  readonly uuid: string;
  readonly result?: Readonly<Record<string, unknown>>;
  readonly run: {
    readonly state: string;
    readonly attempts: number;
    readonly error?: { readonly code: string; readonly message: string };
  };
}

/** Text that all secrets of the run contain; the second is the first in Base64, after `jo:`. */
const SECRET = /hush-|amU6aHVzaC/;

/** Characters that must not reach a terminal. */
const CONTROL = /\p{C}/u;

/** Maximum memory in megabytes. A bomb unpacks to a gigabyte. */
const MOST_MEMORY = 500;

/** Maximum duration of the run in seconds. A server that hangs does so twice for 1 s. */
const MOST_TIME = 40;

const RETRIES = 1;

/**
 * Runs all cases at once, with good tasks among them.
 * @param good number of good tasks
 */
export async function servers(program: Program, good: number): Promise<Report> {
  const answers: FaultCase['answer'][] = [];
  const places = await startServers((socket, path) => {
    const answer = answers[Number(/^\/case\/(\d+)/.exec(path)?.[1])];
    if (answer === undefined) socket.write(wellOf(path));
    else if (typeof answer === 'function') answer(socket, path);
    else socket.write(answer);
  });
  const cases = faultCases(places);
  answers.push(...cases.map(({ answer }) => answer));
  const asked = mixed(
    cases.map((wanted, i) => askedFor(wanted, i, places)),
    goodOnes(good, places),
  );
  const cwd = freshFolder();
  const ran = await run(program, cwd, asked);
  const crossed = places.landed.filter((seen) => SECRET.test(seen) || seen.includes('stays'));
  const breaches = [
    ...breachesOfRun(ran, cwd),
    ...breachesOfRecords(ran.stdout, asked),
    ...crossed.map(
      (seen): Breach => ({ kind: 'other', words: `a header crossed to another origin: ${seen}` }),
    ),
  ];
  const figures = { cases: cases.length, 'good tasks': good, 'megabytes at most': peakOf(cwd) };
  return { figures, breaches };
}

function askedFor(wanted: FaultCase, i: number, { ill, secure }: Places): Asked {
  const url = new URL(wanted.url ?? `${wanted.isSecure ? secure : ill}/case/${i}`);
  url.username = 'je';
  url.password = 'hush-user';
  const headers = { Cookie: 'a=hush-cookie', 'X-Own': 'stays' };
  return { record: { uuid: `case-${i}`, url: url.href, headers, ...wanted.record }, wanted };
}

function goodOnes(count: number, { ill, secure, ipv6 = ill, dying }: Places): Asked[] {
  const origins = [ill, secure, ipv6, dying];
  return Array.from({ length: count }, (_, i) => {
    const path = `/good/${i}`;
    const wanted = { name: `is good at ${path}`, result: { status: 200, text: `this is ${path}` } };
    return { record: { uuid: `good-${i}`, url: `${origins[i % origins.length]}${path}` }, wanted };
  });
}

/** Returns the second list with the items of the first evenly distributed in it. */
function mixed<T>(ones: readonly T[], others: readonly T[]): T[] {
  const step = Math.max(1, Math.floor(others.length / ones.length));
  const parts = ones.map((one, i) => [one, ...others.slice(i * step, (i + 1) * step)]);
  return [...parts.flat(), ...others.slice(ones.length * step)];
}

async function run(program: Program, cwd: string, asked: readonly Asked[]): Promise<Ended> {
  const peak =
    "import { writeFileSync } from 'node:fs';\nprocess.on('exit', () => writeFileSync('peak', '' + process.resourceUsage().maxRSS));\n";
  writeFileSync(join(cwd, 'peak.mjs'), peak);
  writeFileSync(join(cwd, 'authority.pem'), AUTHORITY);
  writeFileSync(join(cwd, 'secrets.txt'), 'Authorization: Bearer hush-bearer\n', { mode: 0o600 });
  writeFileSync(join(cwd, 'jar.txt'), '127.0.0.1\tFALSE\t/\tFALSE\t0\tjar\thush-jar\n');
  const env = {
    ...program.env,
    NODE_EXTRA_CA_CERTS: 'authority.pem',
    NODE_OPTIONS: `--import ${join(cwd, 'peak.mjs')}`,
    NODE_TLS_REJECT_UNAUTHORIZED: '0',
  };
  const secrets = "--header 'X-Api-Key: hush-key' --header @secrets.txt --cookies jar.txt";
  const rules = `--retries ${RETRIES} --backoff 10ms..20ms -j 60 --per-host 40 --print-curl`;
  const input = asked.map(({ record }) => `${JSON.stringify(record)}\n`).join('');
  return sh(`timeout ${MOST_TIME} task-exec --http ${rules} ${secrets}`, { cwd, env, input });
}

/** Returns the peak memory of the run in megabytes; NaN if it did not end on its own. */
function peakOf(cwd: string): number {
  const file = join(cwd, 'peak');
  return existsSync(file) ? Math.round(Number(readFileSync(file, 'utf8')) / 1024) : Number.NaN;
}

function breachesOfRun({ code, stderr }: Ended, cwd: string): Breach[] {
  const breaches: Breach[] = [];
  if (code === 124) breaches.push({ kind: 'hang', words: `not over after ${MOST_TIME} s` });
  else if (code !== 1)
    breaches.push({ kind: 'exit code', words: `${code} in place of 1: ${stderr.slice(-2000)}` });
  else {
    const megabytes = peakOf(cwd);
    if (megabytes > MOST_MEMORY) breaches.push({ kind: 'memory', words: `${megabytes} MB` });
    const jar = readFileSync(join(cwd, 'jar.txt'), 'utf8');
    if (jar.includes('evil')) breaches.push({ kind: 'other', words: 'a cookie was set for another host' });
  }
  for (const line of stderr.split('\n')) {
    if (SECRET.test(line)) breaches.push({ kind: 'other', words: `a secret on stderr: ${line}` });
    if (CONTROL.test(line)) breaches.push({ kind: 'other', words: `raw on stderr: ${JSON.stringify(line)}` });
  }
  return breaches;
}

function breachesOfRecords(stdout: string, asked: readonly Asked[]): Breach[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  const came = lines.map((line): [string, string] => [(JSON.parse(line) as Came).uuid, line]);
  return asked.flatMap(({ record, wanted }) => {
    const found = came.filter(([uuid]) => uuid === record.uuid).map(([, line]) => line);
    if (found.length !== 1)
      return [{ kind: found.length === 0 ? 'lost' : 'double', words: wanted.name } as const];
    const [line = ''] = found;
    const faults = faultsOf(JSON.parse(line) as Came, wanted);
    const own = JSON.stringify(record).slice(0, -1);
    if (!line.startsWith(own)) faults.push('its attributes were changed');
    else if (SECRET.test(line.slice(own.length))) faults.push('a secret is in its result');
    return faults.map(
      (fault): Breach => ({ kind: 'other', words: `${wanted.name}: ${fault}: ${line.slice(0, 1000)}` }),
    );
  });
}

function faultsOf({ run, result }: Came, { code, again, result: wanted = {} }: FaultCase): string[] {
  const faults: string[] = [];
  const codes = [code ?? []].flat();
  const state = codes.length === 0 ? 'SUCCESS' : 'FAILURE';
  if (run.state !== state) faults.push(`${run.state} in place of ${state}`);
  if (run.error !== undefined && !codes.includes(run.error.code)) faults.push(`not ${codes.join(' or ')}`);
  if (again !== undefined && run.attempts !== (again ? 1 + RETRIES : 1))
    faults.push(`${run.attempts} attempts`);
  for (const [name, value] of Object.entries(wanted)) {
    if (result?.[name] !== value) faults.push(`${name} is not ${JSON.stringify(value)}`);
  }
  if (CONTROL.test(run.error?.message ?? '')) faults.push('a raw control character is in its message');
  return faults;
}
