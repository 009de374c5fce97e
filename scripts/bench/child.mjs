// Runs a command with our input, throws its output away, and says on stderr how long it took (ms) and what its
// memory was at most (KB): of all children, so one command a process.
import { spawn } from 'node:child_process';

const [program, ...args] = process.argv.slice(2);
const before = performance.now();
const child = spawn(program, args, { stdio: [0, 'ignore', 'inherit'] });
let memory = 0;
const watch = setInterval(async () => {
  const { readFile } = await import('node:fs/promises');
  const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '');
  memory = Math.max(memory, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
}, 50);
child.on('close', (code) => {
  const took = performance.now() - before;
  clearInterval(watch);
  process.stderr.write(`\n${took} ${memory}\n`);
  process.exitCode = code ?? 1;
});
