import { writeSync } from 'node:fs';
import type { CommandName } from '../commands/index.ts';
import { descriptors } from '../core/base/descriptors.ts';
import { ioError, messageOf, systemCode, TaskpipeError } from '../core/base/errors.ts';
import { escapeControls } from '../core/base/terminal-text.ts';
import { leaveWith, watchEnding } from './early-exit.ts';
import { DEFECT, EXIT_CODES } from './exits.ts';
import { takeDescriptors } from './guest/guest-streams.ts';
import { assertOutputIsOpen } from './io/pipes.ts';

declare const TASKPIPE_VERSION: string;

/** Runs an executable and sets the exit code of the process. */
export async function main(name: CommandName): Promise<void> {
  takeDescriptors(process.env);
  process.stderr.on('error', () => {}); // a closed stderr must not end the run
  const argv = process.argv.slice(2);
  const version = TASKPIPE_VERSION;
  const over = watchEnding((message) => sayLast(`${name}: ${message}\n`));
  try {
    if (argv.length === 1 && argv[0] === '--version') {
      writeVersion(name);
      return;
    }
    const { run } = await import('./run.ts'); // loaded here so that --version stays fast
    leaveWith(await run({ name, argv, version }));
  } catch (error) {
    leaveWith(report(name, error));
  } finally {
    over();
  }
}

/** Writes to stderr synchronously: at exit a stream would be too late. */
function sayLast(line: string): void {
  try {
    writeSync(2, line);
  } catch {} // stderr is closed
}

function writeVersion(name: CommandName): void {
  assertOutputIsOpen();
  try {
    writeSync(descriptors.output, `${name} ${TASKPIPE_VERSION}\n`);
  } catch (error) {
    throw ioError('cannot write', 'the standard output', error);
  }
}

/** Reports the error that ended the stage. Returns the exit code. */
function report(name: string, error: unknown): number {
  if (error instanceof TaskpipeError && error.code === 'PIPE') return EXIT_CODES.PIPE; // silent, like head
  process.stderr.write(`${name}: ${escapeControls(wordsOf(name, error))}\n`);
  if (systemCode(error) === 'EMFILE' || isFolderGone(error)) return EXIT_CODES.IO;
  return error instanceof TaskpipeError ? EXIT_CODES[error.code] : DEFECT;
}

function wordsOf(name: string, error: unknown): string {
  const message = messageOf(error);
  if (error instanceof TaskpipeError) return message;
  const code = systemCode(error);
  if (code === 'EMFILE') return 'too many open files: lower --jobs, or raise ulimit -n';
  if (isFolderGone(error)) return 'the working folder was deleted: change to another one';
  if (code === 'ERR_MODULE_NOT_FOUND') return `a part of the package is missing, run npm install: ${message}`;
  return `a defect in ${name}, please report it: ${error instanceof Error ? (error.stack ?? message) : message}`;
}

/** Returns whether an error says that the working folder does not exist any more. */
function isFolderGone(error: unknown): boolean {
  return systemCode(error) === 'ENOENT' && (error as { syscall?: unknown }).syscall === 'uv_cwd';
}
