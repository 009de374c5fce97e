// Measures whole processes, ours and each peer in turn (A B C A B C …), so that other load on the machine
// affects all of them.
import { spawnSync } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const child = fileURLToPath(new URL('child.mjs', import.meta.url));

/**
 * Runs our program and its peers.
 * @param row as in rows.mjs, without the peers that are not installed
 * @param runs number of runs, after one to warm up
 * @returns our rate (per second), the peak memory of each of our stages in MB, and for each peer its rate and
 *   the ratio of our rate to it; rates and ratios are medians
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

/**
 * Runs the stages of a program in a pipe and discards the output. Returns the duration, and the peak memory
 * of each stage.
 */
function time({ stages, input, clear = [], ends = 0 }) {
  for (const file of clear) rmSync(file, { force: true, recursive: true });
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

/** Returns a program as it is typed. @param shorten shortens paths for a page */
export function shown({ stages, input }, shorten) {
  const line = stages.map((words) => words.map((word) => quote(shorten(word))).join(' ')).join(' | ');
  return input === undefined ? line : `${line} < ${shorten(input)}`;
}

function median(numbers) {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)];
}
