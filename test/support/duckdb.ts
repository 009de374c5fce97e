import { DuckDBInstance } from '@duckdb/node-api';

/** Runs SQL statements in DuckDB, which reads and writes many formats. Returns the rows of the last one. */
export async function duckdb(...statements: readonly string[]): Promise<readonly unknown[][]> {
  const instance = await DuckDBInstance.create(':memory:', { threads: '1' });
  const connection = await instance.connect();
  try {
    let rows: readonly unknown[][] = [];
    for (const sql of statements) rows = (await connection.runAndReadAll(sql)).getRowsJson() as unknown[][];
    return rows;
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}
