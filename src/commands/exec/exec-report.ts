import { readlinkSync } from 'node:fs';
import { relative } from 'node:path';
import { quote } from 'shlex';
import { descriptors } from '../../core/base/descriptors.ts';
import { messageOf } from '../../core/base/errors.ts';
import type { Progress } from '../../core/base/progress.ts';
import type { Io } from '../../core/options/command.ts';
import type { Options } from '../../core/options/option.ts';
import { scrubbed, typedLine, withPipeNote } from '../../core/options/secrets.ts';
import { openReport, type Report, summaryLines } from '../../reports/index.ts';
import type { Execution } from '../../stages/exec/exec.ts';
import { QUEUE_HINT, queuePipeOf } from '../queue-pipe.ts';

/** Returns the progress of a run, for the progress line. */
export function progressOf({ counts, running, bytes }: Execution): Progress {
  const { succeeded, failed, pending, passed, retries, reverted, known } = counts;
  return {
    through: succeeded + failed + pending + passed + reverted + known,
    bytes,
    counts: [
      reverted > 0 ? { count: reverted, words: 'reverted' } : { count: succeeded, words: 'done' },
      { count: failed, words: 'failed', isFailure: true },
      { count: running, words: 'running' },
      { count: retries, words: 'tried again' },
      { count: pending, words: 'not finished' },
    ],
  };
}

/** Returns the path of the file that is the standard input, as it is typed. */
function inputPath(): string {
  try {
    return quote(relative('', readlinkSync(`/proc/self/fd/${descriptors.input}`)));
  } catch {
    return 'FILE'; // not available on systems other than Linux
  }
}

export interface ReportingOptions {
  /** Path of `--report`. */
  readonly path: string | undefined;
  readonly unfinished: string | undefined;
  readonly ledger: string | undefined;
  readonly dryRun: boolean;
}

export interface Reporting {
  /** Reports the end of a run. @throws {TaskpipeError} `IO` */
  ended(measured: Report, rejected: number): Promise<void>;
  /** Writes the figures of a run that an error ended. Does not throw: that error matters more. */
  broken(measured: Report, rejected: number): Promise<void>;
}

/**
 * Opens the report of a run: the summary on stderr, and the file of `--report`.
 * @param options of the command, for the line that runs the rest again
 * @throws {TaskpipeError} as `openReport` does
 */
export function openReporting(
  { path, unfinished, ledger, dryRun }: ReportingOptions,
  io: Io,
  options: Options,
): Reporting {
  const { argv, version, info, warn } = io;
  const file = path === undefined ? undefined : openReport(path);
  const input = inputPath(); // now: its descriptor is closed at the end
  // Without a ledger, task-save says how to create a ledger and export its name.
  const place = ledger === undefined ? '"$TASK_LEDGER"' : quote(scrubbed(ledger));
  const command = typedLine('task-exec', argv, options);
  const whole = (measured: Report, rejected: number): Report => {
    const tasks = { ...measured.tasks, rejected };
    return { program: `task-exec ${version}`, command, ...measured, tasks };
  };
  /**
   * Returns whether a later stage says how to continue. A run that was cut short continues by its whole
   * pipeline, because tasks may be unread.
   */
  const isSaidLater = ({ outcome, tasks }: Report): boolean =>
    io.isPiped && unfinished === undefined && (outcome === 'stopped' || tasks.pending > 0);
  return {
    async ended(measured, rejected) {
      const report = whole(measured, rejected);
      const { failed, pending } = report.tasks;
      const queue = failed + pending > 0 ? queuePipeOf(io) : undefined;
      const again = dryRun || queue !== undefined || isSaidLater(report) ? undefined : withPipeNote(command);
      for (const line of summaryLines(report, { unfinished, again })) info(line);
      if (queue !== undefined && failed > 0 && !queue.isSaidLater) info(QUEUE_HINT);
      if (!dryRun && io.isFromFile && isSaidLater(report))
        info(
          withPipeNote(
            `task-exec runs finished tasks of a file again; to skip them: task-done skip ${place} < ${input} | ${command}`,
          ),
        );
      await file?.write(report);
    },
    async broken(measured, rejected) {
      await file?.write(whole(measured, rejected)).catch((failure) => warn(messageOf(failure)));
    },
  };
}
