import { path, size, value, values } from '../../../core/options/declare.ts';
import { InvalidValue } from '../../../core/options/option.ts';
import { compileTemplate } from '../../../core/record/template.ts';
import { type Rate, toRate } from '../../../core/schedule/rate.ts';
import { type Load, toLoad } from './machine/machine-load.ts';

/** Limit of `--quota`: a named amount in any window of time. */
export interface Quota {
  readonly name: string;
  readonly rate: Rate;
}

/** Expression of `--cost`. */
export interface CostExpression {
  readonly name: string;
  readonly expression: string;
}

/** Limit of `--budget`: a named amount for the whole run, or for all runs that share a file. */
export interface BudgetLimit {
  readonly name: string;
  readonly amount: number;
}

/** Options that limit the costs and the starts of tasks. */
export const limitOptions = {
  quota: values<Quota>(
    'limit the cost of tasks in any window of time, such as tokens=250000/m; may be repeated',
    'NAME=AMOUNT/TIME',
    toQuota,
    {
      details:
        'The sum of the costs of the attempts that start in any window of this length is at most the amount. An attempt that costs more than the whole amount starts alone. Each lane has its own account: see --lane. What an attempt costs is said by --cost; for requests=500/m it is 1.',
    },
  ),
  cost: values<CostExpression>(
    'cost of a task, as a JMESPath expression on its record: NAME=EXPR; may be repeated',
    'NAME=EXPR',
    toCost,
    {
      details:
        'Before an attempt the expression must give an estimate, a number of at least 0; a task without one fails with COST. If the expression names the key of the result, it is evaluated again after the attempt, and a number that it then gives corrects the account. For example: tokens=result.json.usage.total_tokens || length(prompt) / `3` + `500`. An estimate and a true figure may also be two --cost options of one name. Costs without a limit are only reported.',
    },
  ),
  lane: value('template of the lanes that --quota, --host-rate and --per-host count in', 'TEMPLATE', toLane, {
    defaultText: 'the host for --http, else one lane',
    details:
      "For example, '{model}' gives each model its own limits. A pause that a server asks for holds the lane of the task.",
  }),
  budget: values<BudgetLimit>(
    'start no more tasks once this sum of costs would be exceeded, such as usd=120; may be repeated',
    'NAME=AMOUNT',
    toBudget,
    {
      details:
        'What runs may end. All other tasks are passed on as PENDING, the exit code is 1, and the last line says what was spent, what is left to do and what it will probably cost. An attempt counts with its estimate until its true cost is known; one that the server refused with a time to wait, or with 429 or 503, costs nothing.',
    },
  ),
  budgetFile: path(
    'file that keeps what was spent, for later runs and for other processes at the same time',
    {
      details:
        'An estimate is on the disk before its attempt starts, and is corrected after it. So the sum in the file is never too low, also after kill -9 or a power loss: attempts that a crash interrupted count with their estimates.',
    },
  ),
  memfree: size('start no task while less memory than this is free', {
    details: 'The limits of a container (cgroup) count. Running tasks go on.',
  }),
  load: value<Load>('start no task while as many processes run on the machine as this', 'N|N%|+N', toLoad, {
    details:
      '100% is one process per processor, as in GNU parallel; +2 is two more. On Linux, processes that run or wait for a processor are counted, now and on the whole machine; elsewhere it is the load average of the last minute.',
  }),
};

/** Splits `name=rest`. @throws {InvalidValue} with the rule */
function named(typed: string, rule: string): [name: string, rest: string] {
  const [, name, rest] = /^\s*([A-Za-z][\w-]*)\s*=(.*)$/s.exec(typed) ?? [];
  if (name === undefined || rest === undefined || rest.trim() === '') throw new InvalidValue(rule);
  return [name, rest.trim()];
}

function toQuota(typed: string): Quota {
  const rule = 'must be a name and a rate, as in tokens=250000/m';
  const [name, rest] = named(typed, rule);
  try {
    return { name, rate: toRate(rest) };
  } catch {
    throw new InvalidValue(rule);
  }
}

function toCost(typed: string): CostExpression {
  const [name, expression] = named(
    typed,
    'must be a name and a JMESPath expression, as in tokens=length(prompt)',
  );
  return { name, expression };
}

function toBudget(typed: string): BudgetLimit {
  const rule = 'must be a name and an amount above 0, as in usd=120';
  const [name, rest] = named(typed, rule);
  if (!/^\d+(\.\d+)?$/.test(rest) || !(Number(rest) > 0)) throw new InvalidValue(rule);
  return { name, amount: Number(rest) };
}

function toLane(typed: string): string {
  if (compileTemplate(typed).names.length === 0)
    throw new InvalidValue('must have an attribute in braces, as in {model}');
  return typed;
}
