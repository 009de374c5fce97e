/*
 * Kinds of work, one folder each, behind the contract of an executor. Owns the table of kinds. Must not know how tasks
 * arrive or leave: that is for the stage.
 */
import { TaskpipeError } from '../core/base/errors.ts';
import { flag, path, text } from '../core/options/declare.ts';
import { type Option, type OptionValues, optionName } from '../core/options/option.ts';
import { BATCH_OPTIONS } from './batch-options.ts';
import type * as command from './command/index.ts';
import { commandHelp, commandOptions } from './command/options.ts';
import type { Executor, Setting } from './contract.ts';
import { type FlowValues, flowHelp, flowOptions } from './flow/options.ts';
import { TIMEOUT as HTTP_TIMEOUT, httpHelp, httpOptions, TASK_HTTP_OPTIONS } from './http/options.ts';
import { moduleHelp, moduleOptions } from './module/options.ts';
import { processOptions, TIMEOUT } from './program/options.ts';
import type * as worker from './worker/index.ts';
import { workerHelp, workerOptions } from './worker/options.ts';

/** Kind of work: its option, and the function that makes its executor from the values of the options. */
interface Kind {
  readonly option: Option<unknown>;
  /** Help of this kind alone: the attributes that it reads, and its result. */
  readonly help: string;
  /** Default of `--timeout`, in milliseconds. */
  readonly timeout: number;
  /** Present if its timeout may be a percentage of the median time. */
  readonly knowsMedian?: true;
  /** Set if it calls user code in this process. */
  readonly callsUserCode?: true;
  make(values: Readonly<Record<string, unknown>>, setting: Setting): Promise<Executor>;
}

/** Kinds, by their options. */
const kinds: Readonly<Record<string, Kind>> = {
  http: {
    option: flag('fetch the url of each task'),
    help: httpHelp,
    timeout: HTTP_TIMEOUT,
    make: async (values, setting) => {
      const { http, fromValues } = await import('./http/index.ts');
      const { jobs, perHost = jobs } = values as { readonly jobs?: number; readonly perHost?: number };
      const { quota = [], cost = [] } = values as { readonly quota?: unknown[]; readonly cost?: unknown[] };
      const { info } = setting; // not for ctx.fetch, whose options are sent to threads
      return http({
        ...fromValues(values as OptionValues<typeof httpOptions>, setting),
        connections: perHost,
        followsLimits: quota.length + cost.length > 0,
        info,
      });
    },
  },
  command: {
    option: text('run a program for each task, without a shell; {field} is an attribute', {
      placeholder: "'CMD {field}'",
    }),
    help: commandHelp,
    timeout: TIMEOUT,
    knowsMedian: true,
    make: async (values, setting) => {
      const { command, fromValues } = await import('./command/index.ts');
      return command(String(values.command), fromValues(values as CommandValues, setting));
    },
  },
  worker: {
    option: text('start -j programs that read tasks and write answers, one per line', { placeholder: 'CMD' }),
    help: workerHelp,
    timeout: TIMEOUT,
    make: async (values, setting) => {
      const { worker, fromValues } = await import('./worker/index.ts');
      return worker(String(values.worker), fromValues(values as WorkerValues, setting));
    },
  },
  module: {
    option: path('call a function of this JavaScript or TypeScript module for each task'),
    help: moduleHelp,
    timeout: TIMEOUT,
    callsUserCode: true,
    make: async (values, setting) => {
      const { moduleFromValues } = await import('./module/index.ts');
      return moduleFromValues(values as never, setting);
    },
  },
  flow: {
    option: path('run the flow that FILE exports; it is reverted if a part of it fails'),
    help: flowHelp,
    timeout: TIMEOUT,
    callsUserCode: true,
    make: async (values, setting) => {
      const { flowFromValues } = await import('./flow/index.ts');
      return flowFromValues(values as FlowValues, setting);
    },
  },
};

type CommandValues = Parameters<typeof command.fromValues>[0];
type WorkerValues = Parameters<typeof worker.fromValues>[0];

/** Options that select a kind of work. */
export const kindOptions: Readonly<Record<string, Option<unknown>>> = Object.fromEntries(
  Object.entries(kinds).map(([name, { option }]) => [name, option]),
);

/** Help of each kind, by its option. */
export const kindHelp: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(kinds).map(([name, { help }]) => [name, help]),
);

/** Kinds that use an option, for options that not all kinds use. */
export const KINDS_OF: Readonly<Record<string, readonly string[]>> = Object.fromEntries(
  (
    [
      [['perHost', 'adaptive'], ['http']],
      [BATCH_OPTIONS, ['http', 'command', 'worker', 'module']],
      [Object.keys(httpOptions), ['http', 'module']],
      [TASK_HTTP_OPTIONS, ['http']],
      [Object.keys(processOptions), ['command', 'worker']],
      [Object.keys(commandOptions), ['command']],
      [Object.keys(workerOptions), ['worker']],
      [Object.keys(moduleOptions), ['module']],
      [
        ['spool', 'ledger'],
        ['module', 'http'],
      ],
      [[...Object.keys(flowOptions), 'draw'], ['flow']],
    ] as const
  ).flatMap(([keys, kinds]) => keys.map((key) => [key, kinds] as const)),
);

/** Returns whether the options select a kind that calls user code in this process. */
export function callsUserCode(values: Readonly<Record<string, unknown>>): boolean {
  return Object.entries(kinds).some(([name, kind]) => kind.callsUserCode && values[name] !== undefined);
}

/**
 * Returns the executor that the options select.
 * @throws {TaskpipeError} `USAGE` if they do not select exactly one
 */
export function executorFor(
  values: Readonly<Record<string, unknown>>,
  setting: Omit<Setting, 'timeout'> & {
    readonly timeout: number | { readonly percent: number } | undefined;
  },
): Promise<Executor> {
  const asked = Object.entries(kinds).filter(
    ([name]) => values[name] === true || typeof values[name] === 'string',
  );
  const [only, another] = asked;
  const names = Object.keys(kinds).map(optionName).join(', ');
  if (only === undefined) throw new TaskpipeError('USAGE', `choose a kind of work: ${names}`);
  if (another !== undefined) {
    throw new TaskpipeError(
      'USAGE',
      `${optionName(only[0])} and ${optionName(another[0])} cannot be combined; use one, and pipe into a second task-exec for the other`,
    );
  }
  const [name, kind] = only;
  const { timeout = kind.timeout } = setting;
  if (typeof timeout === 'number') return kind.make(values, { ...setting, timeout });
  if (kind.knowsMedian !== true)
    throw new TaskpipeError('USAGE', `${optionName(name)} needs a duration for --timeout, such as 30s`);
  return kind.make(values, { ...setting, timeout: kind.timeout, timeoutPercent: timeout.percent });
}
