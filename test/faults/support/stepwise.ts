import { spawn } from 'node:child_process';
import { existsSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { type Ended, ended, environment } from '../../support/run.ts';
import type { Program } from './program.ts';

export interface Steps {
  readonly cwd: string;
  /** Command that emits records when they are safe. Its standard output goes to the file `tee`. */
  readonly command: string;
  /** Input. Each part is sent when all records before it have been emitted, so that it is a separate commit. */
  readonly parts: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Maximum time in milliseconds for a part to be emitted. After that the command hangs. */
const PATIENCE = 30_000;

/** Runs a command with its input in steps, to its end. A command that hangs has no exit code. */
export async function stepwise(program: Program, { cwd, command, parts, env }: Steps): Promise<Ended> {
  writeFileSync(join(cwd, 'tee'), '');
  const child = spawn('bash', ['-c', `exec ${command} >> tee`], {
    cwd,
    env: environment({ ...program.env, ...env }),
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const end = ended(child);
  child.stdin.on('error', () => {}); // it may have been killed
  const isAlive = (): boolean => child.exitCode === null && child.signalCode === null;
  let size = 0;
  let hangs = '';
  for (const part of parts) {
    const limit = Date.now() + PATIENCE;
    while (isAlive() && sizeOf(join(cwd, 'tee')) < size && Date.now() < limit) await wait(2);
    if (Date.now() >= limit) hangs = 'it hangs: not passed on, and not ended. ';
    if (hangs !== '') break;
    child.stdin.write(part);
    size += Buffer.byteLength(part);
  }
  child.stdin.end();
  const { code, stderr, ...how } = await end;
  return { ...how, code: hangs === '' ? code : null, stderr: hangs + stderr };
}

function sizeOf(path: string): number {
  return existsSync(path) ? statSync(path).size : 0;
}
