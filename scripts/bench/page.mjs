// docs/benchmarks.md: the machine, the versions, the table, the commands.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism, cpus, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { root } from '../ready.mjs';

const file = join(root, 'docs/benchmarks.md');

/** Head of the table. The last cell of a row is its name. */
export const HEAD = `| ratio | asked | work | beside | ours | theirs | memory, ours | name |
| ---: | ---: | --- | --- | ---: | ---: | ---: | --- |`;

/** Benchmarks that are separate programs, with the headings of their tables. */
export const SECTIONS = {
  queue: 'task-queue on Redis and PostgreSQL, beside RQ and Celery on the same Redis',
  serve: 'task-serve, beside a bare Fastify route that writes to the same store',
  postgres: 'task-save to PostgreSQL, beside psql and our SQLite',
};

/** Returns the lines of a row that was measured, one for each peer. */
export function lines(name, { what, ours, under, peers }, measured) {
  const memory = `${measured.memory.map((peak) => peak.toFixed(0)).join(', ')} MB`;
  const limit = under === undefined ? '' : `under ${under} MB`;
  const own = rate(measured.rate, ours.count);
  if (peers.length === 0) return [cells('', limit, what, '', own, '', memory, name)];
  return measured.peers.map(({ rate: their, ratio }, i) => {
    const { name: beside, least, count } = peers[i];
    const asked = [least === undefined ? '' : least.toFixed(2), limit].filter((one) => one !== '').join(', ');
    return cells(ratio.toFixed(2), asked, what, beside, own, rate(their, count), memory, name);
  });
}

/** Formats a rate: tasks per second, or the duration of a single task. */
function rate(perSecond, count) {
  return count > 1
    ? `${perSecond < 10 ? perSecond.toFixed(2) : Math.round(perSecond).toLocaleString('en-US')}/s`
    : `${(1000 / perSecond).toFixed(0)} ms`;
}

function cells(...all) {
  return `| ${all.join(' | ')} |`;
}

/**
 * Writes the page. Rows that this run did not measure stay as they were: each row is a separate comparison.
 * @param results `measured` and `commands`: lines by the name of their row; `sections`: tables by name
 * @param names names of all rows, in order
 */
export function writePage({ measured, commands, sections }, names, settings) {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const before = text.split('\n');
  const section = ([name, title]) => {
    const old = text.split(`## ${title}\n\n`)[1]?.split('\n\n')[0];
    return `## ${title}\n\n${sections.get(name) ?? old ?? 'Not measured yet.'}\n`;
  };
  const kept = (name) => before.filter((line) => line.startsWith('|') && line.endsWith(`| ${name} |`));
  const said = (name) => before.filter((line) => line.startsWith(`    ${name}: `));
  const all = (now, old) => names.flatMap((name) => now.get(name) ?? old(name)).join('\n');
  writeFileSync(
    file,
    `# Benchmarks

Each row is one run that alternates between taskpipe and its peers. Whole processes are timed, with their output discarded; figures are medians of ${settings.runs} runs after one to warm up. **Look at the ratios** of our rate to the peer's: higher is better. Slow peers do fewer tasks; rates are compared. *Asked* is the ratio that the project aims for.

${HEAD}
${all(measured, kept)}

${Object.entries(SECTIONS).map(section).join('\n')}
## Machine and versions

${machine()}

${versions()}

## Commands

As they were run, in a folder with their data; \`$bench\` is \`scripts/bench\`.

${all(commands, said)}

\`npm run bench\` writes this page; \`npm run bench -- NAME…\` renews those rows of it.
`,
  );
}

/** Returns the number and the kind of the processors. */
export function processors() {
  return `${availableParallelism()} x ${cpus()[0]?.model ?? 'unknown'}`;
}

function machine() {
  const memory = (totalmem() / 2 ** 30).toFixed(0);
  return `${processors()}, ${memory} GB, ${type()}, unless a comment below says otherwise.`;
}

/** Returns the first line of the version message of each program. */
function versions() {
  const asked = [
    [process.execPath, '--version', 'Node '],
    ['mlr', '--version'],
    ['jq', '--version'],
    ['gojq', '--version'],
    ['curl', '--version'],
    ['aria2c', '--version'],
    ['wget2', '--version'],
    ['nginx', '-v'],
    ['parallel', '--version'],
    ['xargs', '--version'],
    ['/usr/bin/python3', '--version'],
    ['/usr/bin/python3', '-c', 'import aiohttp; print("aiohttp", aiohttp.__version__)'],
    [
      '/usr/bin/python3',
      '-c',
      'from importlib import metadata; print("TaskFlow", metadata.version("taskflow"))',
    ],
    ['redis-server', '--version'],
    ['/usr/bin/python3', '-c', 'import scrapy; print("Scrapy", scrapy.__version__)'],
  ];
  return asked
    .map(([program, ...args]) => {
      const before = args[0] === '--version' && args.length > 1 ? args.pop() : '';
      const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
      return status === 0 ? `- ${before}${(stdout || stderr).split('\n', 1)[0].slice(0, 60)}` : undefined;
    })
    .filter((line) => line !== undefined)
    .join('\n');
}
