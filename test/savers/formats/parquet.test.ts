import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { finishedIn } from '../../faults/support/oracle.ts';
import { duckdb } from '../../support/duckdb.ts';
import { freshFolder, sh } from '../../support/run.ts';

const lines = (...records: readonly object[]): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join('');

/** Returns a table of DuckDB over all parts of a folder. */
const all = (cwd: string, folder = 'out.parquet'): string =>
  `read_parquet('${join(cwd, folder, '*.parquet')}', union_by_name = true)`;

/** Returns the types of the columns of a table in DuckDB. */
async function typesOf(table: string): Promise<Record<string, string>> {
  const rows = await duckdb(`select column_name, column_type from (describe from ${table})`);
  return Object.fromEntries(rows as [string, string][]);
}

describe('task-save out.parquet/', () => {
  test('gives columns the types of their values, which DuckDB and task-load read', async () => {
    const cwd = freshFolder();
    const input = [
      '{"uuid":"a","whole":1,"part":1.5,"text":"x\\"é\\u0000","flag":true,"list":{"k":[1,2.50]},"mixed":1,"none":null}',
      '{"uuid":"b","whole":9007199254740993,"part":2,"text":"01","flag":false,"list":null,"mixed":"t","big":12345678901234567890}',
      '{"uuid":"c","a.b":"😀","list":"s","huge":1e400}',
    ];
    const end = await sh('task-save out.parquet/', { cwd, input: `${input.join('\n')}\n` });
    expect([end.code, end.stderr, readdirSync(join(cwd, 'out.parquet'))]).toEqual([
      0,
      'task-save: saved 3\n',
      ['part-000001.parquet'],
    ]);
    expect(await typesOf(all(cwd))).toEqual({
      ...{ uuid: 'VARCHAR', whole: 'BIGINT', part: 'DOUBLE', text: 'VARCHAR', flag: 'BOOLEAN' },
      ...{ list: 'JSON', mixed: 'VARCHAR', big: 'VARCHAR', 'a.b': 'VARCHAR', huge: 'VARCHAR' },
    });
    const rows = await duckdb(
      `select whole, part, flag, list->>'$.k[1]', mixed from ${all(cwd)} order by uuid`,
    );
    expect(rows).toEqual([
      ['1', 1.5, true, '2.5', '1'],
      ['9007199254740993', 2, false, null, 't'],
      [null, null, null, null, null],
    ]);
    expect((await sh('task-load out.parquet/*.parquet --quiet', { cwd })).stdout.split('\n')).toEqual([
      '{"uuid":"a","whole":1,"part":1.5,"text":"x\\"é\\u0000","flag":true,"list":{"k":[1,2.50]},"mixed":"1"}',
      '{"uuid":"b","whole":9007199254740993,"part":2,"text":"01","flag":false,"mixed":"t","big":"12345678901234567890"}',
      '{"uuid":"c","list":"s","a.b":"😀","huge":"1e400"}',
      '',
    ]);
  });

  test('appends parts whose columns DuckDB unites, and saves each uuid once', async () => {
    const cwd = freshFolder();
    const run = (...records: readonly object[]) =>
      sh('task-save out.parquet/ --ledger l', { cwd, input: lines(...records) });
    await run({ uuid: 'a', n: 1, s: 'x', b: true, j: [1] });
    const again = await run({ uuid: 'a', n: 2 }, { uuid: 'b', n: 1.5, s: [2], b: 3, j: 'y', more: 4 });
    expect(again.stderr).toContain('saved 1, 1 already there');
    await run({ uuid: 'c' });
    expect(await typesOf(all(cwd))).toEqual({
      ...{ uuid: 'VARCHAR', n: 'DOUBLE', s: 'VARCHAR', b: 'VARCHAR', j: 'JSON', more: 'BIGINT' },
    });
    expect(await duckdb(`select uuid, n, s, b, j, more from ${all(cwd)} order by uuid`)).toEqual([
      ['a', 1, 'x', 'true', '[1]', null],
      ['b', 1.5, '[2]', '3', '"y"', '4'],
      ['c', null, null, null, null, null],
    ]);
    expect([...finishedIn(join(cwd, 'l'))].sort()).toEqual(['a', 'b', 'c']);
  });

  test('divides by --flush, takes --fields, and appends to parts of DuckDB', async () => {
    const cwd = freshFolder();
    mkdirSync(join(cwd, 'out'));
    await duckdb(`copy (select 'a' uuid, 5::int n) to '${join(cwd, 'out/x.parquet')}' (compression zstd)`);
    const input = lines(...['a', 'b', 'c', 'd'].map((uuid) => ({ uuid, n: 1, result: { status: 200 } })));
    const end = await sh('task-save out --format parquet --flush 2 --fields n,status=result.status', {
      cwd,
      input,
    });
    expect(end.stderr).toContain('saved 3, 1 already there');
    expect(readdirSync(join(cwd, 'out'))).toEqual([
      ...['part-000001.parquet', 'part-000002.parquet', 'x.parquet'],
    ]);
    expect(await duckdb(`select uuid, n, status from ${all(cwd, 'out')} order by uuid`)).toEqual([
      ['a', '5', null],
      ...['b', 'c', 'd'].map((uuid) => [uuid, '1', '200']),
    ]);
  });

  test('keeps records that Parquet cannot hold for the rest file', async () => {
    const cwd = freshFolder();
    const wide = Object.fromEntries(Array.from({ length: 1001 }, (_, i) => [`c${i}`, i]));
    const input = `{"uuid":"a","s":"\\ud800"}\n{"uuid":"b","s":"\\ud83d\\ude00"}\n${lines({ uuid: 'c', ...wide })}`;
    const end = await sh('task-save out.parquet/ --ledger l', { cwd, input });
    expect([end.code, end.stderr]).toEqual([1, expect.stringContaining('half of a surrogate pair')]);
    const rest = readFileSync(join(cwd, 'out.parquet.rest.ndjson'), 'utf8');
    expect(rest).toContain('"code":"VALUE"');
    expect(rest).toContain('more than 1000 columns');
    expect(await duckdb(`select s from ${all(cwd)}`)).toEqual([['😀']]);
    expect([...finishedIn(join(cwd, 'l'))]).toEqual(['b']);
  });

  test('marks rows that a kill left unmarked, removes an unfinished part, and reports missing rows', async () => {
    const cwd = freshFolder();
    const run = (options: string, ...uuids: readonly string[]) =>
      sh(`task-save out.parquet/ ${options}`, { cwd, input: lines(...uuids.map((uuid) => ({ uuid }))) });
    await run('', 'a', 'b');
    writeFileSync(join(cwd, 'out.parquet/.part-000002.parquet.new'), 'PAR1 torn');
    await run('--ledger l', 'a', 'c');
    expect([...finishedIn(join(cwd, 'l'))].sort()).toEqual(['a', 'b', 'c']);
    expect(readdirSync(join(cwd, 'out.parquet'))).toEqual(['part-000001.parquet', 'part-000002.parquet']);
    rmSync(join(cwd, 'out.parquet/part-000001.parquet'));
    const gone = await run('--ledger l', 'a');
    expect([gone.code, gone.stderr]).toEqual([
      65,
      expect.stringContaining('2 rows are missing that the ledger l names'),
    ]);
    expect((await run('--ledger l --accept-edits', 'a')).stderr).toContain('2 rows are gone');
    expect(await duckdb(`select uuid from ${all(cwd)} order by uuid`)).toEqual([['a'], ['c']]);
  });

  test('refuses what a folder of parts cannot do, with the reason', async () => {
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'file.parquet'), '');
    const fail = async (words: string): Promise<string> => {
      const end = await sh(`task-save ${words}`, { cwd, input: lines({ uuid: 'a' }) });
      expect(end.code).not.toBe(0);
      return end.stderr;
    };
    expect(await fail('out.parquet')).toContain('must end in one of');
    expect(await fail('- --format parquet')).toContain('needs a folder, as in task-save out.parquet/');
    expect(await fail('file.parquet/')).toContain('file.parquet is a file: Parquet is saved as a folder');
    expect(await fail('file.parquet/in.parquet/')).toContain('cannot');
    for (const option of ['--widen', '--table t', '--partition-by s', '--escape-formulas'])
      expect(await fail(`out.parquet/ ${option}`)).toContain('has no effect on parquet');
    expect(await fail('out.parquet/ --overwrite')).toContain('remove the folder first');
    expect(await fail('out.parquet/ --fields id=uuid')).toContain('uuid');
    mkdirSync(join(cwd, 'bad.parquet'));
    writeFileSync(join(cwd, 'bad.parquet/x.parquet'), 'not Parquet');
    expect(await fail('bad.parquet/')).toContain('is not a whole Parquet file');
    await duckdb(`copy (select 1 n) to '${join(cwd, 'bad.parquet/x.parquet')}'`);
    expect(await fail('bad.parquet/')).toContain('has no column "uuid"');
  });

  test('says that a folder cannot be written', async () => {
    const cwd = freshFolder();
    mkdirSync(join(cwd, 'out.parquet'));
    chmodSync(join(cwd, 'out.parquet'), 0o555);
    chmodSync(cwd, 0o755);
    const as = process.getuid?.() === 0 ? 'setpriv --reuid=65534 --clear-groups ' : ''; // root may write everywhere
    const end = await sh(`${as}task-save out.parquet/`, { cwd, input: lines({ uuid: 'a' }) });
    expect([end.code, end.stderr]).toEqual([74, expect.stringContaining('permission denied')]);
  });
});
