import { flag, path, value } from '../../core/options/declare.ts';
import { InvalidValue, type OptionValues } from '../../core/options/option.ts';
import { commandOptions } from '../../executors/command/options.ts';
import { drawOption, flowOptions } from '../../executors/flow/options.ts';
import { httpOptions } from '../../executors/http/options.ts';
import { kindOptions } from '../../executors/index.ts';
import { moduleOptions } from '../../executors/module/options.ts';
import { processOptions } from '../../executors/program/options.ts';
import { workerOptions } from '../../executors/worker/options.ts';
import { connectionOptions } from '../../queues/options.ts';
import { REPORT_RULE, reportFormatOf } from '../../reports/index.ts';
import { execOptions } from '../../stages/exec/exec-options.ts';
import { limitOptions } from '../../stages/exec/limits/index.ts';
import { totalOption } from '../../stages/load/total.ts';

import { timeoutOption } from './exec-timeout.ts';

const { jobs, keepOrder, as, ...others } = execOptions; // so that --timeout has its place in help

/** Options of task-exec, in the order of its help. */
export const execCommandOptions = {
  ...(kindOptions as Record<string, ReturnType<typeof flag>>),
  ...{ jobs, keepOrder, as },
  timeout: timeoutOption,
  ...others,
  ...limitOptions,
  shared: flag('with --queue: --host-rate and --quota count all machines together'),
  events: path('write a line for each change of state of a task, flow or atom to this file, as NDJSON'),
  report: value(
    'write a report of the run to this file: .json for data, .html for a page with plots',
    'FILE',
    toReport,
  ),
  total: totalOption,
  rejects: path('keep invalid input, as NDJSON with its place and the reason'),
  ...httpOptions,
  ...processOptions,
  ...commandOptions,
  ...workerOptions,
  ...moduleOptions,
  ...flowOptions,
  draw: drawOption,
  ...connectionOptions,
} as const;

export type ExecValues = OptionValues<typeof execCommandOptions>;

function toReport(typed: string): string {
  if (reportFormatOf(typed) === undefined) throw new InvalidValue(REPORT_RULE);
  return typed;
}
