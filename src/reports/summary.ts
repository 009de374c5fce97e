import { counted, number } from '../core/base/format.ts';
import { escapeControls } from '../core/base/terminal-text.ts';
import { costLines } from './cost-words.ts';
import { clipped } from './failure-codes.ts';
import type { Host, Report } from './report.ts';
import { durationWords, rateWords } from './report-words.ts';

/** Duration, in milliseconds, or number of tasks from which the summary includes figures. */
const LONG = 10_000;
const MANY = 100;

/** Maximum numbers of causes and hosts in a summary. */
const CAUSES = 5;
const HOSTS = 3;

/** Maximum length of a cause's message, in characters. */
const LONGEST = 160;

/**
 * Summarizes a report in a few lines; in one line for a short run without failures.
 * @param more.unfinished file that has the unfinished tasks
 * @param more.again command that failed and unfinished tasks can be piped into
 */
export function summaryLines(
  report: Report,
  { unfinished, again }: { readonly unfinished: string | undefined; readonly again: string | undefined },
): string[] {
  const { tasks, latency, ms, rate, hosts } = report;
  const ended = endedOf(report);
  const lines = [countsLine(report, unfinished), ...causeLines(report)];
  const isLong = ended > 0 && (ms >= LONG || ended >= MANY);
  if (isLong) {
    const { p50, p95, p99, max } = latency;
    const took = `p50 ${durationWords(p50)}, p95 ${durationWords(p95)}, p99 ${durationWords(p99)}`;
    lines.push(
      `${durationWords(ms)} at ${rateWords(rate)}; a task took ${took}, at most ${durationWords(max)}`,
    );
  }
  if (hosts.length > 1) {
    const slow = isLong ? slowest(hosts).slice(0, HOSTS) : [];
    const words = ({ host, p95, tasks }: Host): string =>
      `${oneLine(host)} (p95 ${durationWords(p95)}, ${counted(tasks, 'task')})`;
    if (slow.length > 0) lines.push(`slowest hosts: ${slow.map(words).join(', ')}`);
    const bad = worst(hosts).slice(0, HOSTS);
    const share = ({ host, failed, tasks }: Host): string =>
      `${oneLine(host)} (${number(failed)} of ${number(tasks)} failed)`;
    if (bad.length > 0) lines.push(`worst hosts: ${bad.map(share).join(', ')}`);
  }
  if (again !== undefined && tasks.failed + tasks.pending > 0)
    lines.push(`to run the rest again, pipe it into: ${again}`);
  return [...lines, ...costLines(report.costs ?? [])];
}

/** Returns the outcome of the tasks in a few words. */
export function headline({ tasks: { succeeded, reverted, failed, pending } }: Report): string {
  const parts = [reverted > 0 ? `${number(reverted)} reverted` : `${number(succeeded)} done`];
  parts.push(failed > 0 ? `${number(failed)} failed` : 'none failed');
  if (pending > 0) parts.push(`${number(pending)} not finished`);
  return parts.join(', ');
}

/** Returns the number of tasks that ended. */
export function endedOf({ tasks: { succeeded, reverted, failed } }: Report): number {
  return succeeded + reverted + failed;
}

/** Returns the hosts in order of their p95, the slowest first. */
export function slowest(hosts: readonly Host[]): Host[] {
  return hosts.toSorted((a, b) => b.p95 - a.p95 || b.mean - a.mean).filter(({ tasks }) => tasks > 0);
}

/** Returns the hosts with failures, the one with the most first. */
export function worst(hosts: readonly Host[]): Host[] {
  return hosts.filter(({ failed }) => failed > 0).sort((a, b) => b.failed - a.failed);
}

/** Escapes external text, so that it stays on one line and cannot control a terminal. */
function oneLine(text: string): string {
  return escapeControls(text).replace(/[\n\t]/g, (space) => (space === '\n' ? '\\n' : '\\t'));
}

function countsLine({ tasks, retries, causes, outcome }: Report, unfinished: string | undefined): string {
  const { succeeded, failed, reverted, pending, passed, added, known, rejected } = tasks;
  const stopped = outcome === 'stopped' ? 'stopped: ' : '';
  const parts = [`${stopped}${reverted > 0 ? `${number(reverted)} reverted` : `${number(succeeded)} done`}`];
  if (added > 0) parts.push(`${number(added)} added on the way`);
  if (known > 0) parts.push(`${number(known)} known already`);
  const fatal = causes.filter((cause) => cause.failed > 0);
  const named = fatal.slice(0, CAUSES).map(({ code, failed: n }) => `${countedCode(code)} ${number(n)}`);
  if (fatal.length > CAUSES) named.push(`${fatal.length - CAUSES} causes more`);
  if (failed > 0) parts.push(`${number(failed)} failed (${named.join(', ')})`);
  if (passed > 0) parts.push(`${number(passed)} had failed before`);
  if (retries > 0) parts.push(`tried again ${counted(retries, 'time')}`);
  const where = unfinished === undefined ? '' : `, in ${unfinished}`;
  if (pending > 0) parts.push(`${number(pending)} not finished${where}`);
  if (rejected > 0) parts.push(counted(rejected, 'bad line'));
  if (outcome === 'max-failures' || outcome === 'budget') parts.push(`stopped by --${outcome}`);
  return parts.join(', ');
}

/** Returns a code before its count, so that a status is not mistaken for a count. */
function countedCode(code: string): string {
  return /\d$/.test(code) ? `${oneLine(code)}:` : oneLine(code);
}

/** Returns a line with an example for each cause. */
function causeLines({ causes }: Report): string[] {
  return causes
    .filter(({ failed }) => failed > 0)
    .slice(0, CAUSES)
    .map(({ code, example: { uuid, message } }) =>
      oneLine(`${code}, as in ${uuid}: ${clipped(message, LONGEST)}`),
    );
}
