import { copyFileSync, cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openDatabase } from '../../src/core/storage/sqlite-database.ts';
import { freshFolder, sh } from '../support/run.ts';

const canMount = (await sh('unshare -m true')).code === 0;

/** Makes a folder with databases in WAL mode, as left by programs that have ended. */
async function left(): Promise<string> {
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'ro'));
  const live = await openDatabase(join(cwd, 'live.db'));
  await live.exec('create table tasks (uuid text primary key); insert into tasks values (1)');
  await live.all('pragma wal_checkpoint(truncate)');
  await live.exec('insert into tasks values (2)');
  for (const log of ['', '-wal']) copyFileSync(join(cwd, `live.db${log}`), join(cwd, `ro/crashed.db${log}`));
  for (const log of ['', '-wal', '-shm'])
    copyFileSync(join(cwd, `live.db${log}`), join(cwd, `ro/open.db${log}`));
  await live.all('pragma wal_checkpoint(truncate)');
  live.close();
  cpSync(join(cwd, 'live.db'), join(cwd, 'ro/closed.db'));
  mkdirSync(join(cwd, 'tmp'));
  return cwd;
}

/** Runs a command while `ro` is mounted read-only. */
function readonly(cwd: string, command: string): ReturnType<typeof sh> {
  return sh(`unshare -m sh -c 'mount --bind ro ro && mount -o remount,ro,bind ro && ${command}'`, { cwd });
}

describe.skipIf(!canMount)(
  'a database on a read-only file system (needs unshare)',
  { timeout: 60_000 },
  () => {
    test.each(['closed', 'crashed', 'open'])('is read with all its rows: %s', async (name) => {
      const cwd = await left();
      const end = await readonly(cwd, `TMPDIR=tmp task-load ro/${name}.db`);
      expect([end.code, end.stdout]).toEqual([0, '{"uuid":"1"}\n{"uuid":"2"}\n']);
      expect(readdirSync(join(cwd, 'tmp'))).toEqual([]);
    });

    test('needs a folder for a copy, and the error names TMPDIR', async () => {
      const end = await readonly(await left(), 'TMPDIR=no task-load ro/crashed.db');
      expect([end.code, end.stderr]).toEqual([74, expect.stringContaining('TMPDIR')]);
    });

    test('is rejected by task-save', async () => {
      const end = await readonly(
        await left(),
        'echo "{\\"uuid\\":\\"3\\"}" | task-save ro/closed.db --rest rest',
      );
      expect([end.code, end.stderr]).toEqual([74, expect.stringContaining('read-only')]);
    });
  },
);

const canDrop = (await sh('setpriv --reuid=65534 --clear-groups true')).code === 0;

test.skipIf(!canDrop)(
  'a database in a folder of another user is read but not written (needs root)',
  async () => {
    const cwd = await left();
    await sh('chmod -R a+rX . && chmod a+w ro/closed.db && mkdir -m 777 mine', { cwd });
    const run = (command: string): ReturnType<typeof sh> =>
      sh(`cd ro && setpriv --reuid=65534 --clear-groups sh -c '${command}'`, {
        cwd,
        env: { TMPDIR: join(cwd, 'mine') },
      });
    for (const name of ['closed', 'crashed']) {
      const end = await run(`task-load ${name}.db`);
      expect([end.code, end.stdout], name).toEqual([0, '{"uuid":"1"}\n{"uuid":"2"}\n']);
    }
    const end = await run('echo "{\\"uuid\\":\\"3\\"}" | task-save closed.db --rest ../mine/rest');
    expect([end.code, end.stderr]).toEqual([
      74,
      expect.stringContaining('the file and its folder must be writable'),
    ]);
  },
);

test('reading a database leaves no files beside it', async () => {
  const cwd = freshFolder();
  await sh('task-save t.db', { cwd, input: '{"uuid":"1"}\n' });
  for (const command of ['task-load t.db', 'task-load t.db --query "select 1 as a"', 'task-done list t.db'])
    expect((await sh(command, { cwd })).code).toBe(0);
  expect(readdirSync(cwd)).toEqual(['t.db']);
});

test('values outside of JSON are read as documented: bytes as base64, infinity as 1e999', async () => {
  const cwd = freshFolder();
  const database = await openDatabase(join(cwd, 't.db'));
  await database.exec(`create table tasks (uuid text, a, b, c, d, e);
    insert into tasks values ('u', 9e999, -9e999, x'00ff10', 9223372036854775807, 0.1), ('v', 9e999 - 9e999, x'', -0.0, 1e300, 1)`);
  database.close();
  const { stdout } = await sh('task-load t.db', { cwd });
  expect(stdout.split('\n')).toEqual([
    '{"uuid":"u","a":1e999,"b":-1e999,"c":"AP8Q","d":9223372036854775807,"e":0.1}',
    '{"uuid":"v","b":"","c":0,"d":1e+300,"e":1}',
    '',
  ]);
});

test('task-load and task-save reject a damaged database with 65', async () => {
  const cwd = freshFolder();
  await sh('task-save t.db', {
    cwd,
    input: Array.from({ length: 500 }, (_, i) => `{"uuid":"u${i}"}\n`).join(''),
  });
  await sh('dd if=/dev/urandom of=t.db bs=4096 seek=1 count=5 conv=notrunc', { cwd });
  writeFileSync(join(cwd, 'in'), '{"uuid":"u7","n":1}\n');
  for (const command of ['task-load t.db', 'task-save t.db < in']) {
    const end = await sh(command, { cwd });
    expect([end.code, end.stderr], command).toEqual([65, expect.stringContaining('damaged')]);
  }
});
