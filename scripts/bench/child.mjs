// Runs a command with our input and output. Writes a line of JSON to stderr: its duration (ms), its peak
// memory (KB), and its exit code or signal.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

const [program, ...args] = process.argv.slice(2);
const before = performance.now();
const child = spawn(program, args, { stdio: 'inherit' });
let memory = 0;
const watch = setInterval(() => {
  try {
    const status = readFileSync(`/proc/${child.pid}/status`, 'utf8');
    memory = Math.max(memory, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
  } catch {
    // it has ended, or there is no /proc
  }
}, 50);
child.on('close', (code, signal) => {
  const took = performance.now() - before;
  clearInterval(watch);
  process.stderr.write(`\n${JSON.stringify({ took, memory, end: code ?? signal })}\n`);
});
