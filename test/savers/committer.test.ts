import { expect, test } from 'vitest';
import { Committer } from '../../src/savers/committer.ts';

test('a failed commit ends the wait for room with its error', async () => {
  let fail: (error: Error) => void = () => {};
  const disk = new Promise<void>((_, reject) => {
    fail = reject;
  });
  const failures: unknown[] = [];
  const committer = new Committer({
    destination: { commit: () => disk, writesLedger: false },
    flush: 1,
    flushInterval: 1000,
    addRest: async () => {},
    tee: undefined,
    onFailure: (error) => failures.push(error),
  });
  committer.addRow('a\n', { uuid: 'a', line: '' });
  committer.addRow('b'.repeat(17 * 1024 * 1024), { uuid: 'b', line: '' });
  const room = committer.room();
  const full = new Error('the disk is full');
  fail(full);
  await expect(room).rejects.toBe(full);
  await expect(committer.drain()).rejects.toBe(full);
  expect(failures).toEqual([full]);
});

test('a commit gets its rows as bytes with their end offsets, also beyond ASCII', async () => {
  const batches: { rows: string; uuids: readonly string[]; ends: readonly number[] }[] = [];
  const committer = new Committer({
    destination: {
      commit: async ({ rows, uuids, ends }) => void batches.push({ rows: rows.toString(), uuids, ends }),
      writesLedger: true,
    },
    flush: 6,
    flushInterval: 1000,
    addRest: async () => {},
    tee: undefined,
    onFailure: () => {},
  });
  for (const letter of ['ä', 'b', 'c']) {
    committer.addRow('plain\n', { uuid: '1', line: '' });
    await committer.room();
    committer.addRow(`${letter}\n`, { uuid: letter, line: '' });
    committer.addPresent({ uuid: 'there', line: '' }, true);
    committer.addRow('🙂🙂\n', { uuid: '2', line: '' });
  }
  await committer.drain();
  const [rows, uuids, ends] = [
    batches.map((batch) => batch.rows).join(''),
    batches.flatMap((batch) => batch.uuids),
    batches.flatMap((batch) => batch.ends),
  ];
  expect(rows).toBe('plain\nä\n🙂🙂\nplain\nb\n🙂🙂\nplain\nc\n🙂🙂\n');
  expect(uuids).toEqual(['1', 'ä', 'there', '2', '1', 'b', 'there', '2', '1', 'c', 'there', '2']);
  expect(batches.map((batch) => batch.uuids.length)).toEqual([6, 6]);
  expect(ends).toEqual([6, 9, -1, 18, 24, 26, -1, 9, 15, 17, -1, 26]);
});

test('a commit keeps its rows unchanged while others gather', async () => {
  const written: string[] = [];
  const committer = new Committer({
    destination: {
      async commit({ rows }) {
        for (let i = 0; i < 3; i++) await new Promise((resolve) => setImmediate(resolve));
        written.push(rows.toString());
      },
      writesLedger: false,
    },
    flush: 1,
    flushInterval: 1000,
    addRest: async () => {},
    tee: undefined,
    onFailure: () => {},
  });
  const rows = Array.from({ length: 60 }, (_, i) => `${`${i},`.repeat(i % 10 === 5 ? 2_000_000 : 3)}\n`);
  for (const row of rows) {
    committer.addRow(row, { uuid: '', line: '' });
    await committer.room();
    await new Promise((resolve) => setImmediate(resolve));
  }
  await committer.drain();
  expect(written.length).toBeGreaterThan(10);
  expect(written.join('') === rows.join('')).toBe(true);
});
