import { readFileSync } from 'node:fs';
import { availableParallelism, loadavg } from 'node:os';
import { InvalidValue } from '../../../../core/options/option.ts';

/** Limit of `--load`: the number of processes that run. */
export interface Load {
  readonly most: number;
  /** Limit as it was typed. */
  readonly typed: string;
}

/** Limit that 0 stands for, as in GNU parallel. */
const ALMOST_NONE = 0.01;

/**
 * Parses `--load`: a number, a percentage of the processors that this process may use, or a number to add to these.
 * @throws {InvalidValue}
 */
export function toLoad(typed: string): Load {
  const [, plus, digits = '', percent] = /^(\+?)(\d+(?:\.\d+)?)(%?)$/.exec(typed.trim()) ?? [];
  if (digits === '' || (plus && percent))
    throw new InvalidValue('must be a number, a percentage such as 80%, or +N');
  const number = Number(digits);
  const processors = availableParallelism();
  const most = plus ? processors + number : percent ? (processors * number) / 100 : number;
  return { most: most || ALMOST_NONE, typed: typed.trim() };
}

/** Returns the number of processes that run or wait for a processor, without this thread. */
export function runningProcesses(file = '/proc/loadavg'): number {
  try {
    // "0.20 0.18 0.12 1/80 11206": the fourth field is the number of runnable tasks and of all.
    const [, runnable] = / (\d+)\/\d+ /.exec(readFileSync(file, 'utf8')) ?? [];
    if (runnable !== undefined) return Math.max(0, Number(runnable) - 1);
  } catch {
    // not Linux
  }
  return loadavg()[0] ?? 0;
}
