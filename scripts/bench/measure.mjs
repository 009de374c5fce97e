// Measuring: whole processes, ours and each peer in turn (A B C A B C …), so that a machine that is busy now is busy
// for all of them.
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const child = fileURLToPath(new URL('child.mjs', import.meta.url));

/**
 * Runs ours and its peers.
 * @param row as in rows.mjs; peers that are not installed are left out before
 * @param runs how often, after one to warm up
 * @returns for each peer the ratio of rates, ours to it; and the rates (per second), all of them medians; and the
 *   peak memory of each of our stages in MB
 */
export function measure({ ours, peers, once }, runs) {
  const programs = [ours, ...peers];
  const rates = programs.map(() => []);
  let memory = [];
  for (let i = once ? 1 : 0; i <= (once ? 1 : runs); i++) {
    for (const [place, program] of programs.entries()) {
      const { seconds, megabytes } = time(program);
      if (i === 0) continue; // to warm up
      rates[place].push(program.count / seconds);
      if (place === 0) memory = megabytes.map((peak, stage) => Math.max(peak, memory[stage] ?? 0));
    }
  }
  const [own, ...theirs] = rates;
  return {
    rate: median(own),
    memory,
    peers: theirs.map((their) => ({
      rate: median(their),
      ratio: median(own.map((rate, i) => rate / their[i])),
    })),
  };
}

/** Runs the stages of a program in a pipe, what comes out thrown away. */
function time({ stages, input, clear = [], ends = 0 }) {
  for (const file of clear) rmSync(file, { force: true });
  const line = stages.map((words) => [process.execPath, child, ...words].map(quote).join(' ')).join(' | ');
  const stdin = input === undefined ? 'ignore' : openSync(input, 'r');
  const { stderr } = spawnSync('sh', ['-c', line], {
    stdio: [stdin, 'ignore', 'pipe'],
    maxBuffer: 2 ** 30,
    encoding: 'utf8',
  });
  if (typeof stdin === 'number') closeSync(stdin);
  const reports = stderr.match(/^\{"took":.*\}$/gm)?.map((text) => JSON.parse(text)) ?? [];
  if (reports.length < stages.length || reports.some(({ end }) => end !== ends))
    throw new Error(
      `${line}\nended with ${reports.map(({ end }) => end).join(', ')}: ${stderr.slice(-2000)}`,
    );
  return {
    seconds: Math.max(...reports.map(({ took }) => took)) / 1000,
    megabytes: reports.map(({ memory }) => memory / 1024),
  };
}

function quote(word) {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** A program as it is typed. @param shorten makes paths fit for a page */
export function shown({ stages, input }, shorten) {
  const line = stages.map((words) => words.map((word) => quote(shorten(word))).join(' ')).join(' | ');
  return input === undefined ? line : `${line} < ${shorten(input)}`;
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}
