import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { root } from '../../support/run.ts';

/** Broken promise: its kind, and the observation. */
export interface Breach {
  readonly kind:
    | 'lost'
    | 'double'
    | 'false ledger line'
    | 'torn'
    | 'exit code'
    | 'crash'
    | 'hang'
    | 'memory'
    | 'other';
  readonly words: string;
}

/** Result of trying a fault. */
export interface Report {
  /** Counters by name, such as `{ states: 10_240 }`. */
  readonly figures: Readonly<Record<string, number>>;
  readonly breaches: readonly Breach[];
}

/** True if `npm run faults` runs, which tries each fault more often and stores the figures. */
const isFull = process.env.FAULT_FIGURES !== undefined;

/** Returns a number of trials: `all` in `npm run faults`, `some` in `npm test`, which must end soon. */
export function trials(all: number, some: number): number {
  return isFull ? all : some;
}

/**
 * Fails if a promise was broken, or if less was tried than `least`. For `npm run faults` it also stores the
 * figures for the table in `docs/faults.md`.
 * @param fault row of the table
 * @param least minimum of each counter, by name
 */
export function prove(
  fault: string,
  { figures, breaches }: Report,
  least: Readonly<Record<string, number>>,
): void {
  const shown = breaches.slice(0, 10).map(({ kind, words }) => `${kind}: ${words}`);
  expect(shown, `${breaches.length} breaches`).toEqual([]);
  for (const [name, count] of Object.entries(least)) {
    expect(figures[name], name).toBeGreaterThanOrEqual(count);
  }
  const folder = process.env.FAULT_FIGURES;
  if (folder === undefined) {
    const table = readFileSync(join(root, 'docs/faults.md'), 'utf8');
    expect(table.includes(`| ${fault} |`), `${fault} is in the table; npm run faults writes it`).toBe(true);
    return;
  }
  const counted = Object.entries(figures).map(([name, count]) => `${count.toLocaleString('en')} ${name}`);
  const kinds: Partial<Record<Breach['kind'], number>> = {};
  for (const { kind } of breaches) kinds[kind] = (kinds[kind] ?? 0) + 1;
  const line = { fault, tried: counted.join(', '), breaches: kinds };
  writeFileSync(join(folder, `${fault.replace(/\W+/g, '-')}.json`), JSON.stringify(line));
}
