import { commandOptions } from './command/options.ts';
import { flowOptions } from './flow/options.ts';
import { httpOptions } from './http/options.ts';
import { moduleOptions } from './module/options.ts';
import { processOptions } from './program/options.ts';
import { workerOptions } from './worker/options.ts';

/** Options that not all kinds heed, and those that do. */
export const KINDS_OF: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  (
    [
      [['perHost'], ['http']],
      [Object.keys(httpOptions), ['http', 'module']],
      [Object.keys(processOptions), ['command', 'worker']],
      [Object.keys(commandOptions), ['command']],
      [Object.keys(workerOptions), ['worker']],
      [Object.keys(moduleOptions), ['module']],
      [Object.keys(flowOptions), ['flow']],
    ] as const
  ).flatMap(([keys, kinds]) => keys.map((key) => [key, kinds] as const)),
);
