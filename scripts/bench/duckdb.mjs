// DuckDB for comparison: `duckdb.mjs load|save THREADS FILE`. It reads a file with all values as text and
// writes the records to stdout: CSV to JSON with the MD5 of `url`, or NDJSON to CSV. `duckdb.mjs parquet
// THREADS FILE OUT` writes NDJSON to a Parquet file. THREADS: a number, or `all`.
import { availableParallelism } from 'node:os';
import { DuckDBInstance } from '@duckdb/node-api';

const [verb, threads, file, out] = process.argv.slice(2);
const count = threads === 'all' ? availableParallelism() : Number(threads);
const connection = await (await DuckDBInstance.create(':memory:', { threads: String(count) })).connect();
const quoted = (text) => `'${text.replaceAll("'", "''")}'`;
const path = quoted(file);
const csv = file.endsWith('.csv');
const from = csv ? `read_csv(${path}, all_varchar = true)` : `read_ndjson(${path}, maximum_depth = 1)`;
await connection.run('SET preserve_insertion_order = true');
const statements = {
  load: () => `COPY (SELECT md5(url) AS uuid, * FROM ${from}) TO '/dev/stdout' (FORMAT json)`,
  save: () => `COPY (FROM ${from}) TO '/dev/stdout' (FORMAT csv, HEADER)`,
  parquet: () => `COPY (FROM ${from}) TO ${quoted(out)} (FORMAT parquet)`,
};
await connection.run(statements[verb]());
