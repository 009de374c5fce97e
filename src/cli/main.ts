import { writeSync } from 'node:fs';
import type { CommandName } from '../commands/index.ts';
import { ioError, messageOf, TaskpipeError } from '../core/errors.ts';
import { escapeControls } from '../core/visible.ts';
import { DEFECT, EXIT_CODES } from './exits.ts';

declare const TASKPIPE_VERSION: string;

/** Runs an executable, and sets the exit code of the process. */
export async function main(name: CommandName): Promise<void> {
  process.stderr.on('error', () => {}); // nobody reads what we say: that ends nothing
  const argv = process.argv.slice(2);
  const version = TASKPIPE_VERSION;
  try {
    if (argv.length === 1 && argv[0] === '--version') {
      writeVersion(name);
      return;
    }
    const { run } = await import('./run.ts'); // so that --version pays for nothing
    process.exitCode = await run({ name, argv, version });
  } catch (error) {
    process.exitCode = report(name, error);
  }
}

function writeVersion(name: CommandName): void {
  try {
    writeSync(1, `${name} ${TASKPIPE_VERSION}\n`);
  } catch (error) {
    throw ioError('cannot write', 'the standard output', error);
  }
}

/** Says what ended the stage. Returns the exit code. */
function report(name: string, error: unknown): number {
  const isOurs = error instanceof TaskpipeError;
  if (isOurs && error.code === 'PIPE') return EXIT_CODES.PIPE; // as with head: not a word
  const words = isOurs
    ? messageOf(error)
    : `a defect in ${name}, please report it: ${error instanceof Error ? (error.stack ?? messageOf(error)) : String(error)}`;
  process.stderr.write(`${name}: ${escapeControls(words)}\n`);
  return isOurs ? EXIT_CODES[error.code] : DEFECT;
}
