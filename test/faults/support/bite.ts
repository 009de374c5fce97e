import { expect } from 'vitest';
import { type Mistake, type Program, wrong } from './program.ts';
import type { Breach, Report } from './report.ts';

/** A mistake, and the suite that must detect it. */
export interface Bite extends Mistake {
  readonly tried: (program: Program) => Promise<Report>;
  /** Kind of the breach. Default: any. */
  readonly kind?: Breach['kind'];
}

/** Tries a suite on a build with a mistake, and expects a breach. */
export async function notices({ tried, kind, ...mistake }: Bite): Promise<void> {
  const { breaches } = await tried(wrong(mistake));
  const found = breaches.filter((breach) => kind === undefined || breach.kind === kind);
  expect(found.length, `breaches, of ${JSON.stringify(breaches)}`).toBeGreaterThan(0);
}
