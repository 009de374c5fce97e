import { expect, test } from 'vitest';
import { Committer } from '../../src/savers/commit.ts';

test('a commit that fails while more than may wait has gathered ends the wait for room', async () => {
  let fail: (error: Error) => void = () => {};
  const disk = new Promise<void>((_, reject) => {
    fail = reject;
  });
  const failures: unknown[] = [];
  const committer = new Committer({
    destination: { commit: () => disk, marks: false },
    flush: 1,
    flushInterval: 1000,
    addRest: async () => {},
    tee: undefined,
    onFailure: (error) => failures.push(error),
  });
  committer.addRow('a\n', 'a', '');
  committer.addRow('b'.repeat(17 * 1024 * 1024), 'b', '');
  const room = committer.room();
  const full = new Error('the disk is full');
  fail(full);
  await expect(room).rejects.toBe(full);
  await expect(committer.drain()).rejects.toBe(full);
  expect(failures).toEqual([full]);
});
