import { closeSync, openSync, rmSync } from 'node:fs';
import { modeOf, replaceFile, resolved } from '../core/durable.ts';
import { ioError, systemCode, TaskpipeError } from '../core/errors.ts';
import { REPORT_RULE, reportFormatOf } from './index.ts';
import type { Report } from './report.ts';

/** Where a report will be written. */
export interface ReportFile {
  /** Writes it: a file of that name is replaced, in one step. @throws {TaskpipeError} `IO` */
  write(report: Report): Promise<void>;
}

/**
 * Finds out whether a report can be written, before the hours that it tells of.
 * @param path its ending says in which form, see `reportFormats`
 * @throws {TaskpipeError} `USAGE` where it is no name of a report, `IO` where its folder can't be written to
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
    place = resolved(path);
    modeOf(place);
    const trial = `${place}.new`; // the very name that replaceFile() writes first
    closeSync(openSync(trial, 'wx'));
    rmSync(trial);
  } catch (error) {
    if (systemCode(error) !== 'EEXIST') failed(error); // a crash has left it, or another run writes it
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
 * Writes a report, as JSON or as a page by the ending of its name.
 * @throws {TaskpipeError} `USAGE` for another ending, `IO`
 */
export async function writeReport(path: string, report: Report): Promise<void> {
  await openReport(path).write(report);
}
