/* Outputs that are packed: .gz and .zst. */
import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { parseTask } from '../../../src/core/record/ndjson.ts';
import type { Task } from '../../../src/core/record/task.ts';
import { finishedIn } from '../../../src/ledgers/index.ts';
import { type SaveOptions, type SaveSummary, save } from '../../../src/stages/save/save.ts';
import { contentsOf } from '../../faults/support/contents.ts';
import { freshFolder, has, sh } from '../../support/run.ts';

async function saved(
  path: string,
  uuids: readonly string[],
  options: SaveOptions = {},
): Promise<SaveSummary> {
  const tasks = (async function* () {
    yield uuids.map((uuid) => parseTask(JSON.stringify({ uuid, x: `"${uuid}",\né` })) as Task);
  })();
  return save(tasks, path, options);
}

const csvOf = (...uuids: readonly string[]): string =>
  `uuid,x\n${uuids.map((uuid) => `${uuid},"""${uuid}"",\né"\n`).join('')}`;

describe.each(['gz', 'zst'])('an output that ends in .%s', (ending) => {
  test('holds the rows of all runs, is widened, and is replaced by --overwrite', async () => {
    const path = join(freshFolder(), `out.csv.${ending}`);
    const ledger = `${path}.ledger`;
    await saved(path, ['a', 'b'], { ledger });
    const second = await saved(path, ['b', 'c'], { ledger });
    expect([second.saved, second.present, contentsOf(path)]).toEqual([1, 1, csvOf('a', 'b', 'c')]);
    const wide = await sh(`task-save ${path} --widen --ledger ${ledger} --quiet`, {
      input: '{"uuid":"d","y":1}\n',
    });
    expect([wide.stderr, contentsOf(path).split('\n')[0]]).toEqual(['', 'uuid,x,y']);
    await saved(path, ['e'], { overwrite: true });
    expect(contentsOf(path)).toBe(csvOf('e'));
    await saved(path, [], { ledger: undefined });
    expect(contentsOf(path)).toBe(csvOf('e'));
  });

  test('is read whole by other programs and by task-load', async () => {
    const cwd = freshFolder();
    for (const uuids of [['a'], ['b', 'c']]) await saved(join(cwd, `out.ndjson.${ending}`), uuids);
    const loaded = await sh(`task-load out.ndjson.${ending} --quiet`, { cwd });
    expect(loaded.stdout.split('\n')).toHaveLength(4);
    const tool = ending === 'gz' ? 'gzip' : 'zstd';
    if (await has(tool))
      expect((await sh(`${tool} -dc out.ndjson.${ending}`, { cwd })).stdout).toBe(loaded.stdout);
  });

  test('loses only the member that a crash has torn, at any byte of it', async () => {
    const folder = freshFolder();
    const path = join(folder, `out.csv.${ending}`);
    const ledger = join(folder, 'l');
    await saved(path, ['a', 'b'], { ledger });
    const before = readFileSync(path).length;
    const clean = { path: `${folder}-0`, size: contentsOf(path).length };
    cpSync(folder, clean.path, { recursive: true });
    await saved(path, ['c']);
    const whole = readFileSync(path);
    for (let end = before; end < whole.length; end++) {
      const copy = `${folder}-${end}`;
      cpSync(clean.path, copy, { recursive: true });
      const out = join(copy, `out.csv.${ending}`);
      writeFileSync(out, whole.subarray(0, end));
      // Bytes that never reached the disk are NULs.
      const isHole = end === before || end % 512 === 0;
      if (isHole) appendFileSync(out, Buffer.alloc(512 - (end % 512)));
      writeFileSync(
        `${out}.run`,
        `{"taskpipe":"run","size":${Buffer.byteLength(csvOf('a', 'b'))},"open":false,"uuids":true}\n`,
      );
      const warned: string[] = [];
      const again = await saved(out, ['a', 'c'], { warn: (words) => warned.push(words) });
      expect([end, again.saved, again.present, contentsOf(out)]).toEqual([end, 1, 1, csvOf('a', 'b', 'c')]);
      const isTorn = end > before || isHole;
      expect([end, warned.length, readdirSync(copy).some((name) => name.includes('.torn-'))]).toEqual([
        ...[end, isTorn ? 1 : 0, isTorn],
      ]);
    }
  });

  test('that was cut, damaged or packed by another program is refused, and left as it is', async () => {
    const path = join(freshFolder(), `out.csv.${ending}`);
    await saved(path, ['a']);
    await saved(path, ['b']);
    const whole = readFileSync(path);
    truncateSync(path, whole.length - 1);
    await expect(saved(path, ['c'])).rejects.toThrow('the data is cut short');
    const wrong = Buffer.from(whole);
    wrong.fill(0x55, 40, 44);
    writeFileSync(path, wrong);
    await expect(saved(path, ['c'])).rejects.toThrow('the data is damaged');
    expect(readFileSync(path)).toEqual(wrong);
    for (const foreign of [Buffer.from('uuid,x\na,1\n'), zlib.gzipSync('uuid,x\na,1\n')]) {
      writeFileSync(path, foreign);
      await expect(saved(path, ['c'])).rejects.toThrow('plain text or packed by another program');
      expect(readFileSync(path)).toEqual(foreign);
    }
    writeFileSync(path, Buffer.concat([whole, Buffer.from('something else that follows')]));
    await expect(saved(path, ['c'])).rejects.toThrow(`at byte ${whole.length} begins something`);
  });

  test('agrees with its ledger after a kill between the two', async () => {
    const folder = freshFolder();
    const path = join(folder, `out.ndjson.${ending}`);
    await saved(path, ['a', 'b']);
    await saved(path, ['c'], { ledger: join(folder, 'l') });
    expect((await finishedIn(join(folder, 'l'))).size).toBe(3);
  });
});

test('a database is not packed, and the message names the endings', async () => {
  const end = await sh('task-save tasks.db.gz', { input: '{"uuid":"a"}\n' });
  expect([end.code, end.stderr]).toEqual([2, expect.stringContaining('must end in one of .csv')]);
  expect(existsSync('tasks.db.gz')).toBe(false);
});
