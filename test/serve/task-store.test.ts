import { closeSync, mkdirSync, openSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { openLocked } from '../../src/core/storage/lock.ts';
import { Store } from '../../src/serve/store/task-store.ts';
import { freshFolder } from '../support/run.ts';

const count = vi.hoisted(() => ({ opened: 0, closed: 0 }));

// Counted here, because the library keeps the file itself open until its statements are collected.
vi.mock(import('../../src/core/storage/sqlite-database.ts'), async (original) => {
  const real = await original();
  const openDatabase: typeof real.openDatabase = async (...args) => {
    const database = await real.openDatabase(...args);
    const close = (): void => {
      count.closed++;
      database.close();
    };
    count.opened++;
    return { ...database, inTransaction: false, close };
  };
  return { ...real, openDatabase };
});

test('a store that another service uses is closed again', async () => {
  const path = join(freshFolder(), 'serve.db');
  const lock = `${path}-serve`;
  const say = (): void => {};
  const fd = openLocked(lock, () => openSync(lock, 'a'), 'exclusive', 'busy', say);
  await expect(Store.open(path, { warn: say })).rejects.toMatchObject({ code: 'LOCKED' });
  closeSync(fd);
  expect(count).toEqual({ opened: 1, closed: 1 });
  await (await Store.open(path, { warn: say })).close();
  expect(count).toEqual({ opened: 3, closed: 3 });
});

test('a store is in use also if another service names it by a symbolic link', async () => {
  const cwd = freshFolder();
  const path = join(cwd, 'real.db');
  const link = join(cwd, 'link.db');
  const say = (): void => {};
  symlinkSync('real.db', link); // before the database exists
  for (const [first, second] of [
    [link, path],
    [path, link],
  ] as const) {
    const store = await Store.open(first, { warn: say });
    await expect(Store.open(second, { warn: say })).rejects.toMatchObject({ code: 'LOCKED' });
    await store.close();
  }
});

test('a store that is a folder is refused with a message', async () => {
  const path = join(freshFolder(), 'folder');
  mkdirSync(path);
  await expect(Store.open(path, { warn: () => {} })).rejects.toMatchObject({
    code: 'IO',
    message: `cannot open ${path}: it is a folder`,
  });
});
