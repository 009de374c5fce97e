import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parseTask } from '../../src/core/record/ndjson.ts';
import type { Task } from '../../src/core/record/task.ts';
import { save } from '../../src/stages/save/save.ts';
import { freshFolder, sh } from '../support/run.ts';

const A = parseTask('{"uuid":"a","x":1}') as Task;
const B = parseTask('{"uuid":"b","x":1}') as Task;

/** Saves to the link `out`, which `change` changes before the second record. Returns the message of the error. */
async function changed(folder: string, out: string, change: () => void): Promise<string> {
  const input = (async function* () {
    yield [A];
    change();
    yield [B];
  })();
  const error = await save(input, join(folder, out), {}).catch((error: Error) => error);
  return (error as Error).message.replaceAll(`${folder}/`, '');
}

test.each(['out.csv', 'out.ndjson', 'out.db'])(
  'a link that leads elsewhere is named, and how to put it back: %s',
  async (out) => {
    const folder = freshFolder();
    symlinkSync('r1', join(folder, out));
    const point = (): void => {
      rmSync(join(folder, out));
      symlinkSync('r2', join(folder, out));
    };
    const message = await changed(folder, out, point);
    expect(message).toContain(
      `${out} was changed during the run: it is a link to r2, and was a link to r1, with `,
    );
    expect(message).not.toContain('renamed');
    const [, back = ''] = /put the link back with: (.*), then run the same command again/.exec(message) ?? [];
    await sh(back, { cwd: folder });
    await save(
      (async function* () {
        yield [B];
      })(),
      join(folder, out),
      {},
    );
    expect(
      (
        await sh(`task-load --format ${out.slice(4).replace('db', 'sqlite')} ${out} | wc -l`, { cwd: folder })
      ).stdout.trim(),
    ).toBe('2');
  },
);

test('a link that was removed is named, and how to put it back', async () => {
  const folder = freshFolder();
  symlinkSync('r1.csv', join(folder, 'out.csv'));
  const message = await changed(folder, 'out.csv', () => rmSync(join(folder, 'out.csv')));
  expect(message).toContain(
    'out.csv was removed during the run: it was a link to r1.csv, with 2 rows of this run in it; put the link back with: ln -sfn r1.csv out.csv, then',
  );
});

test('a file that took the name of a link is not changed', async () => {
  const folder = freshFolder();
  symlinkSync('r1.csv', join(folder, 'out.csv'));
  const message = await changed(folder, 'out.csv', () => {
    rmSync(join(folder, 'out.csv'));
    writeFileSync(join(folder, 'out.csv'), 'mine');
  });
  expect(message).toMatch(
    /out.csv was replaced by another file .* it was a link to r1.csv, .*; the old file is .*r1.csv, then run/,
  );
  expect(message).not.toContain('ln -sfn');
  expect(readFileSync(join(folder, 'out.csv'), 'utf8')).toBe('mine');
});

test('a link to the folder of the output that leads elsewhere is reported', async () => {
  const folder = freshFolder();
  for (const name of ['d1', 'd2']) mkdirSync(join(folder, name));
  symlinkSync('d1', join(folder, 'now'));
  const message = await changed(folder, 'now/out.csv', () => {
    rmSync(join(folder, 'now'));
    symlinkSync('d2', join(folder, 'now'));
  });
  expect(message).toMatch(
    /now\/out.csv leads to another file, as a link in its path was changed during the run: it led to .*d1\/out.csv, .*; put the link back, then/,
  );
});
