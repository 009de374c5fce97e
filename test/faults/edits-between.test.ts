import { expect, test } from 'vitest';
import { formats } from './edits/formats.ts';
import { editsBetween } from './edits-between.ts';
import { ours } from './support/program.ts';
import { prove } from './support/report.ts';

test('outputs edited between runs lose no row silently, repeat none and keep the edits', async () => {
  for (const { edits } of formats) expect(edits.length).toBeGreaterThanOrEqual(40);
  prove('outputs edited by people between two runs', await editsBetween(ours), { edits: 400 });
}, 300_000);
