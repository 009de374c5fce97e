import { jsonBody, parseRecord } from '../../core/record/ndjson.ts';
import { attribute, type Task } from '../../core/record/task.ts';
import { byteFields } from '../../core/text/byte-text.ts';
import { BatchUuids } from '../batch-uuids.ts';
import type { BatchOutcome, Outcome } from '../contract.ts';
import { type JudgedExit, judge } from './command-outcome.ts';
import type { CapturedOutput, JobReport } from './shell-pool/job.ts';

/** Failures of the whole call, which no task causes. */
const OF_THE_CALL: ReadonlySet<string> = new Set(['NOT_FOUND']);

const NEWLINE = 10;

/** Turns the report of a command for several tasks into their outcomes: its output has one line for each task. */
export function judgeBatch(
  report: JobReport | undefined,
  of: JudgedExit,
  tasks: readonly Task[],
): BatchOutcome {
  const whole = judge(report, { ...of, output: 'text' });
  if (whole.error !== undefined || report === undefined) return failed(whole, tasks);
  const lines = linesOf(report.stdout);
  const isSilent = lines.length === 0 && of.output === 'text';
  const fault =
    isSilent || lines.length === tasks.length
      ? movedIn(lines, of, tasks)
      : `${of.name} wrote ${linesText(lines.length)}`;
  if (fault !== undefined) {
    const wanted = `the output of a batch must have a line for each of its ${tasks.length} tasks, in their order, or be empty (--batch-split always finds tasks with other output)`;
    const error = { code: 'BATCH', message: `${fault}; ${wanted}` };
    return failed({ ...whole, error }, tasks, 'never');
  }
  return tasks.map((_, i) => {
    const stderr = i === 0 ? report.stderr : NOTHING;
    return lineOutcome(lines[i] ?? Buffer.alloc(0), stderr, of);
  });
}

/** Returns a description of a line of JSON that has the uuid of another task than the one at its place. */
function movedIn(
  lines: readonly Buffer[],
  { output, name }: JudgedExit,
  tasks: readonly Task[],
): string | undefined {
  if (output !== 'json') return undefined;
  const uuids = new BatchUuids(tasks);
  for (const [i, line] of lines.entries()) {
    const record = line.includes('"uuid"') ? parseRecord(line.toString()) : undefined;
    const uuid = record === undefined || 'code' in record ? undefined : attribute(record.fields, 'uuid');
    const other = uuids.otherPlace(uuid, i);
    if (other !== undefined) return `line ${i + 1} of ${name} has the uuid of task ${other + 1}`;
  }
  return undefined;
}

const NOTHING: CapturedOutput = { text: '' };

/** Returns the outcome of a failed command. Leaves out its outputs, which do not belong to a single task. */
function failed(
  { result, ...whole }: Outcome,
  tasks: readonly Task[],
  halves: 'now' | 'never' = 'now',
): BatchOutcome {
  const isSingle = tasks.length === 1 && result !== undefined;
  const outcome = isSingle ? { ...whole, result } : whole;
  const code = whole.error?.code ?? '';
  if (OF_THE_CALL.has(code)) return { whole: outcome, halves: 'never' };
  const mayPass = whole.retry !== undefined || code === 'TIMEOUT';
  return { whole: outcome, halves: mayPass ? 'later' : halves };
}

function lineOutcome(line: Buffer, stderr: CapturedOutput, { output, name }: JudgedExit): Outcome {
  const errors = JSON.stringify(byteFields('stderr', bytesOf(stderr))).slice(1);
  if (output === 'json') {
    const json = jsonBody(line.toString());
    if ('text' in json) return { result: `{"exit":0,"json":${json.text},${errors}` };
    const message = `the line of ${name} for this task is not JSON: ${json.fault}`;
    return { ...textOutcome(line, errors), error: { code: 'OUTPUT_JSON', message } };
  }
  return textOutcome(line, errors);
}

function textOutcome(line: Buffer, errors: string): Outcome {
  const out = JSON.stringify(byteFields('stdout', line)).slice(1, -1);
  return { result: `{"exit":0,${out},${errors}` };
}

function bytesOf(output: CapturedOutput): Buffer {
  if ('text' in output) return Buffer.from(output.text);
  return 'base64' in output ? Buffer.from(output.base64, 'base64') : Buffer.alloc(0);
}

function linesOf(output: CapturedOutput): Buffer[] {
  const bytes = bytesOf(output);
  const lines: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const found = bytes.indexOf(NEWLINE, from);
    const end = found < 0 ? bytes.length : found;
    lines.push(bytes.subarray(from, end));
    from = end + 1;
  }
  return lines;
}

function linesText(count: number): string {
  return count === 1 ? '1 line' : `${count} lines`;
}
