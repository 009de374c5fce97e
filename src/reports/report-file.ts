import { closeSync, openSync, rmSync } from 'node:fs';
import { resolve } from 'node:path';
import { ioError, systemCode, TaskpipeError } from '../core/base/errors.ts';
import { modeOf, replaceFile, resolved } from '../core/storage/durable.ts';
import type { Report } from './report.ts';
import { REPORT_RULE, reportFormatOf } from './report-formats.ts';

/** A file that a report will be written to. */
export interface ReportFile {
  /** Writes the report; replaces an existing file atomically. @throws {TaskpipeError} `IO` */
  write(report: Report): Promise<void>;
}

/**
 * Opens a report and checks at the start of the run that it can be written.
 * @param path its ending selects the format, see `reportFormats`
 * @throws {TaskpipeError} `USAGE` if the ending is unknown, `IO` if the folder is not writable
 */
export function openReport(path: string): ReportFile {
  const format = reportFormatOf(path);
  if (format === undefined)
    throw new TaskpipeError('USAGE', `the name of a report ${REPORT_RULE}; got ${JSON.stringify(path)}`);
  const failed = (error: unknown): never => {
    throw ioError('cannot write --report', path, error);
  };
  let place = path;
  try {
    place = resolve(resolved(path)); // user code may change the working folder
    modeOf(place);
    const trial = `${place}.new`; // the temporary name that replaceFile() uses
    closeSync(openSync(trial, 'wx'));
    rmSync(trial);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') failed(error); // EEXIST: left by a crash, or another run writes it
  }
  return {
    async write(report) {
      const text = await format.encode(report);
      await replaceFile(place, once(Buffer.from(text))).catch(failed);
    },
  };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes;
}

/**
 * Writes a report as JSON or as a page, by the ending of its name.
 * @throws {TaskpipeError} `USAGE` if the ending is unknown, `IO`
 */
export async function writeReport(path: string, report: Report): Promise<void> {
  await openReport(path).write(report);
}
