import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Ledger, openLedger } from '../../src/ledgers/index.ts';
import { freshFolder } from '../support/run.ts';

/** Makes a ledger of ten rows of an output, ten bytes each, with zeros over the lines of some of them. */
async function holed(from: number, to: number): Promise<{ ledger: Ledger; path: string; out: string }> {
  const folder = freshFolder();
  const path = join(folder, 'done.jsonl');
  const out = join(folder, 'out.csv');
  const ledger = openLedger(path, () => {});
  const writer = await ledger.open(out);
  await writer.know(0, true);
  await writer.append(
    Array.from({ length: 10 }, (_, i) => ({ uuid: `u${i}`, end: 10 * (i + 1) })),
    true,
  );
  await writer.close();
  const bytes = readFileSync(path);
  bytes.fill(0, bytes.indexOf(`{"uuid":"u${from}"`) + 5, bytes.indexOf(`{"uuid":"u${to}"`) - 3);
  writeFileSync(path, bytes);
  return { ledger, path, out };
}

describe('a hole in a ledger after a power loss', () => {
  test('limits the verified part to the rows before it, although later lines name more', async () => {
    const { ledger, out } = await holed(3, 6);
    const { saved, end, verifiedEnd: named, hasGap: hasHole } = await ledger.history(out);
    expect({ saved: saved.size, end, named, hasHole }).toEqual({
      saved: 7,
      end: 100,
      named: 30,
      hasHole: true,
    });
  });

  test('no longer counts after a full scan', async () => {
    const { ledger, out } = await holed(3, 6);
    const writer = await ledger.open(out);
    await writer.know(100, true);
    await writer.append([{ uuid: 'v', end: 110 }], true);
    await writer.close();
    expect(await ledger.history(out)).toMatchObject({ end: 110, named: 110, hasHole: false });
  });

  test('survives compaction', async () => {
    const { ledger, out } = await holed(3, 6);
    expect(await ledger.compact()).toMatchObject({ after: 8 });
    const { saved, end, verifiedEnd: named } = await ledger.history(out);
    expect({ saved: saved.size, end, named }).toEqual({ saved: 7, end: 30, named: 30 });
  });

  test('is not assumed for a torn line, which another append follows', async () => {
    const { ledger, path, out } = await holed(3, 6);
    writeFileSync(path, readFileSync(path, 'utf8').replaceAll('\0', ''));
    expect(await ledger.history(out)).toMatchObject({ end: 100, named: 100, hasHole: false });
  });
});
