import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { root } from '../../support/run.ts';

/** A promise that was not kept: which one, and what was seen. */
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

/** What came of trying a fault. */
export interface Report {
  /** What was counted on the way, by name: `{ states: 10_240 }`. */
  readonly figures: Readonly<Record<string, number>>;
  readonly breaches: readonly Breach[];
}

/**
 * Fails where a promise was not kept, or less was tried than is asked for; and notes the figures for the table in
 * `docs/faults.md`, where `npm run faults` asks for them.
 * @param fault a line of the table
 * @param least what must have been counted, by name
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
