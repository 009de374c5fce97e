// `npm run bench [-- NAME...] [--rows N] [--runs N]`: measures our commands and their peers, and prints a
// table, the ratios first. With the usual numbers of rows and runs it also writes docs/benchmarks.md; with
// NAMEs it renews only their rows. Peers that are not installed are skipped with a message.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { ready, root } from '../ready.mjs';
import { openData } from './data.mjs';
import { measure, shown } from './measure.mjs';
import { freePort, startNginx, startSlowDns } from './nginx.mjs';
import { HEAD, lines, processors, SECTIONS, writePage } from './page.mjs';
import { isThere } from './programs.mjs';
import { table } from './rows.mjs';

const USUAL = { rows: 1_000_000, runs: 5 };

const { values, positionals } = parseArgs({
  options: { rows: { type: 'string' }, runs: { type: 'string' } },
  allowPositionals: true,
});
const rows = Number(values.rows ?? USUAL.rows);
const runs = Number(values.runs ?? USUAL.runs);
const folder = mkdtempSync(join(tmpdir(), 'taskpipe-bench-'));
const say = (line) => process.stdout.write(`${line}\n`);

ready();
// Folder where Debian has nginx; it is not in the PATH of users.
process.env.PATH += ':/usr/sbin';
const port = await freePort();
const data = openData(folder, port);
const all = table(data, rows);
const names = [...Object.keys(all), ...Object.keys(SECTIONS)];
/** Returns the names of rows that a name means: `load` also means `load-quoted`, the same on other data. */
const meant = (word) => names.filter((name) => name === word || name.startsWith(`${word}-`));
const unknown = positionals.find((word) => meant(word).length === 0);
if (unknown !== undefined) throw new Error(`no benchmark ${unknown}; there are ${names.join(', ')}`);
const chosen = positionals.length > 0 ? positionals.flatMap(meant) : names;

const [measured, commands, sections] = [new Map(), new Map(), new Map()];
const chosenRows = chosen.filter((name) => Object.hasOwn(all, name));
let stop;
let stopDns;
try {
  if (chosenRows.some((name) => all[name].needs === 'nginx'))
    stop = await startNginx(join(folder, 'nginx'), port);
  if (chosenRows.some((name) => all[name].dns)) stopDns = await startSlowDns(port);
  if (chosenRows.length > 0) say(`${rows} rows, medians of ${runs} runs\n\n${HEAD}`);
  for (const name of chosenRows) bench(name);
} finally {
  await stop?.();
  await stopDns?.();
  rmSync(folder, { recursive: true });
}
for (const name of chosen) if (Object.hasOwn(SECTIONS, name)) sections.set(name, tableOf(name));
if (rows === USUAL.rows && runs === USUAL.runs)
  writePage({ measured, commands, sections }, Object.keys(all), { runs });
else say('\ndocs/benchmarks.md is as it was: it is for the usual rows and runs');

function bench(name) {
  const row = all[name];
  if (row.needs !== undefined && !isThere(row.needs)) {
    say(`${name}: skipped, as ${row.needs} is not installed`);
    return;
  }
  const peers = row.peers.filter((peer) => {
    const isHere = isThere(programOf(peer));
    if (!isHere) say(`${name}: ${peer.name} is not installed: skipped`);
    else if (!row.dns || process.getuid?.() === 0) return true;
    else say(`${name}: ${peer.name} needs root rights, for its DNS server: skipped`);
    return false;
  });
  const programs = [row.ours, ...peers];
  for (const program of programs) data.makeFor(program);
  const table = lines(name, { ...row, peers }, measure({ ...row, peers }, runs));
  for (const line of table) say(line);
  measured.set(name, table);
  const [, load] = loadavg();
  commands.set(name, [
    ...programs.map((program) => `    ${name}: ${shown(program, shorten)}`),
    `    ${name}: # on ${processors()}, at a load average of ${load.toFixed(1)}`,
  ]);
}

/** Returns the program of a peer, also if it is started by `unshare`. */
function programOf({ stages: [words] }) {
  return words[0] === 'unshare' ? words[6] : words[0];
}

/** Runs a benchmark that is a separate program. Returns the table that it prints. */
function tableOf(name) {
  const { status, stdout } = spawnSync(process.execPath, [join(root, 'scripts/bench', `${name}.mjs`)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`the benchmark ${name} ended with ${status}`);
  say(`\n${stdout}`);
  return stdout.trimEnd();
}

/** Shortens a path for a page. */
function shorten(word) {
  if (word === process.execPath) return 'node';
  return word
    .replace(`${folder}/`, '')
    .replace(join(root, 'scripts/bench'), '$bench')
    .replace(`${root}bin/`, '')
    .replaceAll(String(port), 'PORT');
}
