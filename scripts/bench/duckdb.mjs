// DuckDB as a peer: `duckdb.mjs load|save THREADS FILE`. It reads a file with all values as text and writes the records to
// stdout: CSV to JSON with the MD5 of `url`, or NDJSON to CSV. THREADS: a number, or `all`.
import { availableParallelism } from 'node:os';
import { DuckDBInstance } from '@duckdb/node-api';

const [verb, threads, file] = process.argv.slice(2);
const count = threads === 'all' ? availableParallelism() : Number(threads);
const connection = await (await DuckDBInstance.create(':memory:', { threads: String(count) })).connect();
const path = `'${file.replaceAll("'", "''")}'`;
const csv = file.endsWith('.csv');
const from = csv ? `read_csv(${path}, all_varchar = true)` : `read_ndjson(${path}, maximum_depth = 1)`;
await connection.run('SET preserve_insertion_order = true');
await connection.run(
  verb === 'load'
    ? `COPY (SELECT md5(url) AS uuid, * FROM ${from}) TO '/dev/stdout' (FORMAT json)`
    : `COPY (FROM ${from}) TO '/dev/stdout' (FORMAT csv, HEADER)`,
);
