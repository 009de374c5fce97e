import type { TaskpipeError } from '../base/errors.ts';
import type { PostgresAddress } from './postgres-address.ts';

/** Conditions of a connection. */
export interface PostgresSettings {
  /** Maximum time that the server may be unavailable, in milliseconds; then it is an error. Default one minute. */
  readonly patience?: number | undefined;
  /** False if COMMIT does not need to wait for the disk. Default true. */
  readonly sync?: boolean | undefined;
  /** Writes a line to stderr. */
  readonly warn?: ((message: string) => void) | undefined;
  /** Aborted to wait only shortly for an unavailable server. */
  readonly stopping?: AbortSignal | undefined;
  /** Aborted to stop waiting for an unavailable server. */
  readonly aborting?: AbortSignal | undefined;
}

/** Value of a cell as the server writes it; null for NULL. */
export type PostgresCell = string | null;

/** A column of a result. */
export interface ResultField {
  readonly name: string;
  /** Id and number of the column in its table; 0 if it is computed. */
  readonly tableID: number;
  readonly columnID: number;
  readonly dataTypeID: number;
}

/** Open connection. Its cells are text, in the formats that `openPostgres` sets. */
export interface PostgresSession {
  /** Number of the connection, from 1; the temporary tables of an earlier connection are gone. */
  readonly number: number;
  /**
   * True if a pooler stands between: each transaction may run in another session of the server, without the settings and
   * temporary tables of this one.
   */
  readonly isPooled: boolean;
  /** Begins a transaction with the settings of the session. @param mode SQL of its mode, as in `read only` */
  begin(mode?: string): Promise<void>;
  /** Runs statements without parameters. */
  exec(sql: string): Promise<void>;
  /** Runs a query, and returns the columns of its result. */
  fields(sql: string): Promise<readonly ResultField[]>;
  /** Returns the rows of a statement. */
  rows(sql: string, values?: readonly unknown[]): Promise<readonly (readonly PostgresCell[])[]>;
  /** Returns the number of rows that a statement changed. */
  change(sql: string, values?: readonly unknown[]): Promise<number>;
  /**
   * Sends rows in the text format of COPY to the server.
   * @param sql `copy TABLE (…) from stdin`, also after other statements
   * @returns number of rows that were written
   */
  copy(sql: string, rows: Buffer): Promise<number>;
  /**
   * Reads the rows of a query with a cursor, in batches of at most `size`, of fewer if rows are long. Call it in a
   * transaction, which must end if the caller leaves early.
   */
  batches(sql: string, size: number): AsyncGenerator<readonly (readonly PostgresCell[])[]>;
}

/** Connection that is restored after a loss, for as long as `patience` allows. */
export interface PostgresLink {
  readonly address: PostgresAddress;
  /**
   * Runs `work`, and runs it again on a new connection if the connection was lost, or if the server could not do it
   * at the moment. So `work` may run twice..
   * @throws {TaskpipeError} with the reason
   */
  run<T>(work: (session: PostgresSession) => Promise<T>): Promise<T>;
  /** Runs `work` in a transaction, under the conditions of `run`. */
  commit<T>(work: (session: PostgresSession) => Promise<T>): Promise<T>;
  /**
   * Reads the rows of a query in the transaction of a session, as `session.batches`, and ends the connection if the
   * server is silent for too long.
   */
  batches(
    session: PostgresSession,
    sql: string,
    size: number,
  ): AsyncGenerator<readonly (readonly PostgresCell[])[]>;
  /**
   * Reads the rows of a query in batches, as `batches`, in its own transaction. Only the start is retried: later,
   * rows have been passed on already.
   * @param queryFor returns the query; undefined if there is nothing to read
   */
  read(
    queryFor: (session: PostgresSession) => Promise<string | undefined>,
    size: number,
  ): AsyncGenerator<readonly (readonly PostgresCell[])[]>;
  /** Returns the error of a statement or of the connection, with its reason in words. */
  fault(error: unknown): TaskpipeError;
  /** Ends the connection, without waiting for a statement that runs. */
  close(): Promise<void>;
}
