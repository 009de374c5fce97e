import { createRequire } from 'node:module';
import { messageOf, TaskpipeError } from '../../../core/base/errors.ts';
import { compileExpression } from '../../../core/options/jmespath-option.ts';
import { attribute, type Failure, type Fields, type Task } from '../../../core/record/task.ts';
import type { Outcome } from '../../../executors/contract.ts';
import { amountWords } from '../../../reports/cost-words.ts';
import type { CostExpression } from './limit-options.ts';

/** Amounts by the index of their name in `CostModel.names`. */
export type Amounts = readonly number[];

/** Function that evaluates an expression; `wrong` is called if the value is not an amount, and the result undefined. */
type Evaluate = (record: Fields, wrong?: (shown: string) => void) => number | undefined;

interface Cost {
  readonly name: string;
  /** Expressions of the estimate; those that also use the result are last. */
  readonly estimates: readonly Evaluate[];
  /** Expressions that use the result, so that the actual cost may differ from the estimate; the latest first. */
  readonly figures: readonly Evaluate[];
}

/** Part of a limit by which rounding errors of estimates may exceed it. */
const ROUNDING = 1e-9;

/** Name whose cost is 1 unless an expression says otherwise. */
const REQUESTS = 'requests';

/** Largest estimate that a limit allows to start. */
export interface MostCost {
  readonly name: string;
  readonly most: number;
  /** Limit as a message names it. */
  readonly limit: string;
}

/** Costs of tasks by name: estimates before an attempt, and actual costs after it. */
export class CostModel {
  readonly names: readonly string[];
  readonly #costs: readonly Cost[];
  readonly #as: string;
  readonly #mosts: readonly MostCost[];

  /**
   * @param names names that have limits; those of expressions are added
   * @param as key of the result in a record
   * @param mosts estimates above which a task fails
   * @throws {TaskpipeError} `USAGE` if an expression is invalid, or a name has none
   */
  constructor(
    names: readonly string[],
    expressions: readonly CostExpression[],
    as: string,
    mosts: readonly MostCost[] = [],
  ) {
    this.#as = as;
    this.#mosts = mosts;
    this.names = [...new Set([...names, ...expressions.map(({ name }) => name)])];
    this.#costs = this.names.map((name) => {
      const own = expressions.filter((one) => one.name === name);
      if (own.length === 0 && name !== REQUESTS)
        throw new TaskpipeError(
          'USAGE',
          `nothing says what a task costs in ${name}; give --cost '${name}=EXPR', a JMESPath expression on the record`,
        );
      return costOf(name, own, as);
    });
  }

  /**
   * Returns the estimates for a task; a failure `COST` if an expression does not return an amount, or if the amount
   * exceeds its limit.
   */
  before(task: Task): Amounts | Failure {
    const { fields } = task;
    const record = attribute(fields, this.#as) === undefined ? fields : { ...fields, [this.#as]: null };
    const amounts: number[] = [];
    for (const { name, estimates } of this.#costs) {
      const amount = firstAmount(estimates, record);
      if (amount === undefined) return noEstimate(name, estimates, record);
      amounts.push(amount);
    }
    for (const { name, most, limit } of this.#mosts) {
      const amount = amounts[this.names.indexOf(name)] as number;
      if (amount > most * (1 + ROUNDING)) return tooMuch(name, amount, limit);
    }
    return amounts;
  }

  /**
   * Returns the actual costs of an attempt; the estimates for costs that are not in the result. If the result is that
   * of a whole call, each of its tasks gets an equal share of the costs in it.
   */
  after(task: Task, { result, sharedBy = 1 }: Outcome, estimates: Amounts): Amounts {
    if (result === undefined || this.#costs.every(({ figures }) => figures.length === 0)) return estimates;
    const record = { ...task.fields, [this.#as]: JSON.parse(result) as unknown };
    const bare = { ...task.fields, [this.#as]: null };
    return this.#costs.map(({ figures }, i) => {
      const estimate = estimates[i] as number;
      if (sharedBy === 1) return firstAmount(figures, record) ?? estimate;
      for (const evaluate of figures) {
        const told = evaluate(record);
        // The estimate of an expression that falls back to it is for this task alone.
        if (told !== undefined) return told === evaluate(bare) ? told : told / sharedBy;
      }
      return estimate;
    });
  }
}

function noEstimate(name: string, estimates: readonly Evaluate[], record: Fields): Failure {
  const values: string[] = [];
  for (const evaluate of estimates) evaluate(record, (shown) => values.push(shown));
  return {
    code: 'COST',
    message: `--cost ${name} gives no number of at least 0 for the record before its attempt; add an estimate: EXPR || \`100\`; it gives ${values.join(' and ')}`,
  };
}

function tooMuch(name: string, amount: number, limit: string): Failure {
  return {
    code: 'COST',
    message: `--cost ${name} gives ${amountWords(amount)}, more than ${limit}, so the task can never start; raise the limit, or correct the estimate`,
  };
}

function firstAmount(all: readonly Evaluate[], record: Fields): number | undefined {
  for (const evaluate of all) {
    const amount = evaluate(record);
    if (amount !== undefined) return amount;
  }
  return undefined;
}

function costOf(name: string, own: readonly CostExpression[], as: string): Cost {
  if (own.length === 0) return { name, estimates: [() => 1], figures: [] };
  const compiled = own.map(({ expression }) => compileCost(name, expression, as));
  const evaluates = (late: boolean): Evaluate[] =>
    compiled.filter(({ namesResult }) => namesResult === late).map(({ evaluate }) => evaluate);
  const figures = evaluates(true);
  return { name, estimates: [...evaluates(false), ...figures], figures: figures.toReversed() };
}

function compileCost(
  name: string,
  expression: string,
  as: string,
): { evaluate: Evaluate; namesResult: boolean } {
  // Loaded on demand and synchronously, because the functions of the library that use it are synchronous.
  const jmespath = createRequire(import.meta.url)(
    '@jmespath-community/jmespath',
  ) as typeof import('@jmespath-community/jmespath');
  const tree = compileExpression(jmespath, `--cost ${name}`, expression);
  const evaluate: Evaluate = (record, wrong) => {
    try {
      const value = jmespath.TreeInterpreter.search(tree, record as never);
      const amount = amountOf(value);
      if (amount === undefined) wrong?.(shortJson(value));
      return amount;
    } catch (error) {
      wrong?.(`the error "${messageOf(error)}"`); // for example of length(null): the record lacks an attribute
      return undefined;
    }
  };
  return { evaluate, namesResult: hasField(tree, as) };
}

function shortJson(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

/** Returns a value as an amount; also the text of a number, as the cells of CSV are texts. */
function amountOf(value: unknown): number | undefined {
  if (typeof value === 'string') return /^\d+(\.\d+)?$/.test(value) ? Number(value) : undefined;
  return typeof value === 'number' && Number.isFinite(value) && value >= 0 ? value : undefined;
}

/** Returns whether a syntax tree has a field of this name. */
function hasField(tree: unknown, name: string): boolean {
  if (typeof tree !== 'object' || tree === null) return false;
  const node = tree as { readonly type?: unknown; readonly name?: unknown };
  if (node.type === 'Field' && node.name === name) return true;
  return Object.values(tree).some((inner) => hasField(inner, name));
}
