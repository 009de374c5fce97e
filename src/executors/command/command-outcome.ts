import { limitText } from '../../core/base/format.ts';
import { type JsonBody, jsonBody } from '../../core/record/ndjson.ts';
import type { Failure } from '../../core/record/task.ts';
import { byteFields } from '../../core/text/byte-text.ts';
import { encodeUtf8 } from '../../core/text/encoding.ts';
import type { Outcome } from '../contract.ts';
import { isRetried, type RetryOn } from '../program/retry-on.ts';
import { startFault } from '../program/start-faults.ts';
import type { OutputMode } from './options.ts';
import type { CapturedOutput, JobReport, OutputFiles } from './shell-pool/job.ts';

/** Command that a report is about, and the rules for its outcome. */
export interface JudgedExit {
  /** Name for messages. */
  readonly name: string;
  readonly output: OutputMode;
  readonly retryOn: RetryOn;
  readonly timeout: number;
  readonly maxOutput: number;
  /** Files with the outputs. */
  readonly files?: OutputFiles | undefined;
}

/** Errors of the machine that may be temporary. */
const PASSING: ReadonlySet<string> = new Set(['EAGAIN', 'ENOMEM', 'EMFILE', 'ENFILE']);

/** Turns a report into the outcome of the task. */
export function judge(report: JobReport | undefined, of: JudgedExit): Outcome {
  if (report === undefined) {
    const error = { code: 'SPAWN', message: `the process that started ${of.name} was killed` };
    return { error, retry: {} };
  }
  if (report.fault !== undefined) return notStarted(report.fault, of.name);
  if (report.killed === 'output') {
    const message = `${of.name} wrote more than ${of.maxOutput} bytes and was killed (--max-output)`;
    return { error: { code: 'OUTPUT_TOO_LARGE', message } };
  }
  return judgeEnd(report, of) ?? tooLong(report, of);
}

/** Judges a command that ended. Returns undefined if a string cannot hold its output. */
function judgeEnd(report: JobReport, of: JudgedExit): Outcome | undefined {
  const isGood = report.exit === 0 && report.killed === undefined;
  const json = of.output === 'json' ? jsonOf(report.stdout) : undefined;
  const fault = json !== undefined && 'fault' in json ? json.fault : undefined;
  const text = json !== undefined && 'text' in json ? json.text : undefined;
  const result = of.files === undefined ? resultOf(report, text) : fileResultOf(report, of.files);
  if (result === undefined) return undefined;
  if (!isGood) return { result, ...failed(report, of) };
  if (fault === undefined) return { result };
  return {
    result,
    error: { code: 'OUTPUT_JSON', message: `the output of ${of.name} is not JSON: ${fault}` },
  };
}

function tooLong({ exit, stdout, stderr }: JobReport, { name }: JudgedExit): Outcome {
  const bytes = sizeOf(stdout) + sizeOf(stderr);
  const how = exit === null ? '' : `, and ended with exit code ${exit}`;
  const message = `${name} wrote ${bytes} bytes${how}; a record cannot hold them (--max-output)`;
  return { error: { code: 'OUTPUT_TOO_LARGE', message } };
}

function sizeOf(output: CapturedOutput): number {
  if ('bytes' in output) return output.bytes;
  return 'text' in output ? Buffer.byteLength(output.text) : Buffer.byteLength(output.base64, 'base64');
}

function notStarted(fault: string, name: string): Outcome {
  const message = `cannot start ${name}: ${startFault(fault)}`;
  const error = { code: fault === 'ENOENT' ? 'NOT_FOUND' : 'SPAWN', message };
  return PASSING.has(fault) ? { error, retry: {} } : { error };
}

function failed(report: JobReport, { name, retryOn, timeout }: JudgedExit): Outcome {
  const { exit, signal, killed } = report;
  const words = lastLine(report.stderr);
  if (killed === 'timeout') {
    const error = {
      code: 'TIMEOUT',
      message: `${name} did not finish within ${limitText(timeout)} (--timeout)`,
    };
    return withRetry(error, isRetried(retryOn, 'timeout'));
  }
  if (exit === null) {
    const error = { code: 'SIGNAL', message: `${name} was killed by ${signal}${words}` };
    return withRetry(error, isRetried(retryOn, 'signal'));
  }
  return withRetry(
    { code: 'EXIT', message: `${name} ended with exit code ${exit}${words}` },
    isRetried(retryOn, exit),
  );
}

function withRetry(error: Failure, again: boolean): Outcome {
  return again ? { error, retry: {} } : { error };
}

function jsonOf(output: CapturedOutput): JsonBody {
  if ('text' in output) return jsonBody(output.text);
  return { fault: 'bytes' in output ? 'it is too long' : 'it is not UTF-8' };
}

/**
 * Returns `{"exit","signal"?,"stdout","stderr"}`. The name of an output that is not UTF-8 ends in `_base64`.
 * Returns undefined if a string cannot hold it.
 */
function resultOf({ exit, signal, stdout, stderr }: JobReport, json: string | undefined): string | undefined {
  const by = signal === null ? '' : `,"signal":"${signal}"`;
  try {
    const first = json === undefined ? memberOf('stdout', stdout) : `"json":${json}`;
    return `{"exit":${exit}${by},${first},${memberOf('stderr', stderr)}}`;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Returns `{"exit","signal"?,"stdout_file","stderr_file"}`. A name that is not UTF-8 is in `stdout_file_base64`. */
function fileResultOf({ exit, signal }: JobReport, { path }: OutputFiles): string {
  const by = signal === null ? {} : { signal };
  const stdout = byteFields('stdout_file', encodeUtf8(path));
  return JSON.stringify({ exit, ...by, ...stdout, ...byteFields('stderr_file', encodeUtf8(`${path}.err`)) });
}

function memberOf(name: string, output: CapturedOutput): string {
  if ('bytes' in output) throw new RangeError('longer than a string can be');
  return 'text' in output
    ? `"${name}":${JSON.stringify(output.text)}`
    : `"${name}_base64":"${output.base64}"`;
}

/** Returns the last line of stderr, for a message. */
function lastLine(stderr: CapturedOutput): string {
  if (!('text' in stderr)) return '';
  const line = stderr.text.trimEnd().split('\n').at(-1)?.trim() ?? '';
  return line === '' ? '' : `: ${line.length > 300 ? `${line.slice(0, 300)}…` : line}`;
}
