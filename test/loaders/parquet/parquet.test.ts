import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { duckdb } from '../../support/duckdb.ts';
import { freshFolder, sh } from '../../support/run.ts';

/** Writes the rows of a SELECT to `a.parquet` in a fresh folder. */
async function parquetOf(select: string, options = ''): Promise<string> {
  const cwd = freshFolder();
  await duckdb(`copy (${select}) to '${join(cwd, 'a.parquet')}' (format parquet${options})`);
  return cwd;
}

async function linesOf(cwd: string, more = ''): Promise<string[]> {
  const { stdout, stderr, code } = await sh(`task-load a.parquet --duplicates keep ${more}`, { cwd });
  expect([code, stderr]).toEqual([0, expect.stringMatching(/^task-load: [\d,]+ tasks?\n$/)]);
  const lines = stdout.trimEnd().split('\n');
  return lines.map((line) => line.replace(/^\{"uuid":"[^"]*",?/, '{'));
}

const TYPES = `select 9007199254740993::bigint i, 18446744073709551615::ubigint u, -1::tinyint t, 1.1::float f, 0.1::double d,
  1.10::decimal(9,2) d9, '-12345678901234567890123456.78'::decimal(38,2) d38, true b, 'Köln "x"' s, '\\xFF\\x00'::blob bytes,
  date '2024-03-17' as "day", timestamp '2024-03-17 13:45:30.123456' as ts, timestamptz '2024-03-17 13:45:30+00' as tz,
  timestamp_ns '1969-12-31 23:59:59.999999999' as ns, time '13:45:30.5' as clock, '1b4e28ba-2fa1-11d2-883f-0016d3cca427'::uuid id,
  [1, null, 9007199254740993] l, {'a': 1.10::decimal(5,2), 'b': [{'c': 'x'}]} st, map {'k': 1, 'j': null} m,
  '{"a" : 1.10}'::json j, null::int as nil, [[1], []] as ll`;

const EXPECTED =
  '{"i":9007199254740993,"u":18446744073709551615,"t":-1,"f":1.1,"d":0.1,"d9":1.10,"d38":-12345678901234567890123456.78,' +
  '"b":true,"s":"Köln \\"x\\"","bytes":"/wA=","day":"2024-03-17","ts":"2024-03-17T13:45:30.123456",' +
  '"tz":"2024-03-17T13:45:30Z","ns":"1969-12-31T23:59:59.999999999","clock":"13:45:30.500000",' +
  '"id":"1b4e28ba-2fa1-11d2-883f-0016d3cca427","l":[1,null,9007199254740993],"st":{"a":1.10,"b":[{"c":"x"}]},' +
  '"m":{"k":1,"j":null},"j":{"a":1.10},"ll":[[1],[]]}';

describe('task-load of Parquet', () => {
  test('keeps all digits, dates and times, bytes as base64, and nested values; null becomes no attribute', async () => {
    expect(await linesOf(await parquetOf(TYPES))).toEqual([EXPECTED]);
  });

  test.each(['uncompressed', 'snappy', 'gzip', 'zstd', 'brotli', 'lz4_raw'])(
    'reads pages in %s',
    async (codec) => {
      const rows = `select i, 'name ' || i as name, case when i % 3 = 0 then null else i / 4 end x, '' as e from range(3000) r(i)`;
      const lines = await linesOf(await parquetOf(rows, `, codec '${codec}', row_group_size 2048`));
      expect([lines.length, lines[0], lines[2999]]).toEqual([
        ...[3000, '{"i":0,"name":"name 0","e":""}', '{"i":2999,"name":"name 2999","x":749.75,"e":""}'],
      ]);
    },
  );

  test('takes the options of records, and makes the same uuids as NDJSON', async () => {
    const cwd = await parquetOf(`select 'a' as name, {'n': 1} as at`);
    expect(await linesOf(cwd, '--rename at.n=n --select n')).toEqual(['{"n":1}']);
    const packed = await sh('task-load a.parquet --quiet | tee t; task-load t --quiet', { cwd });
    const [one, other] = packed.stdout.split('\n');
    expect(other).toBe(one);
    writeFileSync(join(cwd, 'a.ndjson'), '{"name":"a","at":{"n":1}}\n');
    expect((await sh('task-load a.ndjson --quiet', { cwd })).stdout).toBe(`${one}\n`);
    expect((await sh('task-load a.parquet --delimiter ,', { cwd })).stderr).toContain(
      'has no effect on parquet',
    );
  });

  test('is an error that names the fault if the file is cut, damaged, encrypted or not Parquet', async () => {
    const cwd = await parquetOf(TYPES);
    const whole = readFileSync(join(cwd, 'a.parquet'));
    const wrong = Buffer.from(whole);
    wrong.fill(0xff, 4, whole.length - 200);
    const files: [Buffer, string][] = [
      [whole.subarray(0, -5), 'is cut short, or its writer has not ended'],
      [Buffer.from('PAR1PAR1'), 'is cut short'],
      [Buffer.concat([Buffer.from('PARE'), whole]), 'is an encrypted Parquet file'],
      [Buffer.from('a,b\n1,2\n'), 'is not a Parquet file'],
      [Buffer.alloc(0), 'is not a Parquet file'],
      [wrong, 'the Parquet data cannot be read'],
    ];
    for (const [bytes, words] of files) {
      writeFileSync(join(cwd, 'a.parquet'), bytes);
      const { stdout, stderr, code } = await sh('task-load a.parquet', { cwd });
      expect([stdout, code, stderr]).toEqual(['', 65, expect.stringContaining(words)]);
    }
    const pipe = await sh('cat a.parquet | task-load --format parquet', { cwd });
    expect([pipe.code, pipe.stderr]).toEqual([2, expect.stringContaining('not from a pipe')]);
  });
});

test('outputs that are packed are read whole by DuckDB', async () => {
  const cwd = freshFolder();
  const input = Array.from({ length: 50 }, (_, i) => `{"uuid":"u${i}","state":"s${i % 3}"}\n`).join('');
  for (const name of ['out.csv.gz', 'out.ndjson.gz', 'out.csv.zst', 'out.ndjson.zst']) {
    await sh(`task-save ${name} --flush 7`, { cwd, input });
    expect(await duckdb(`select count(distinct uuid) from '${join(cwd, name)}'`)).toEqual([['50']]);
  }
  await sh('task-save parts/out.csv --partition-by state', { cwd, input });
  const by = `select state, count(*) from read_csv('${join(cwd, 'parts/*/*.csv')}', hive_partitioning = true) group by all order by all`;
  expect(await duckdb(by)).toEqual([
    ['s0', '17'],
    ['s1', '17'],
    ['s2', '16'],
  ]);
});
