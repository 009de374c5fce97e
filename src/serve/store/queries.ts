import { type Cell, type Database, identifier, type Statement } from '../../core/storage/sqlite-database.ts';

/** A task in the queue. */
export interface Submission {
  readonly seq: number;
  readonly uuid: string;
  readonly line: string;
  readonly state: string;
  readonly submitted: string;
  readonly finished: string | null;
}

/** Result of a task. JSON stays text, so that its numbers keep their digits. */
export interface Ending {
  /** JSON text; undefined if there is none. */
  readonly result: string | undefined;
  readonly error: { readonly code: string; readonly message: string } | undefined;
  readonly attempts: number | undefined;
  readonly ms: number | undefined;
}

export interface ListOptions {
  readonly states?: readonly string[] | undefined;
  /** Text that the uuid or the record contains. */
  readonly search?: string | undefined;
  /** Sequence number; only older tasks are returned. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** Number of the newest tasks that a search reads. */
const SEARCHED = 20_000;

/** Queries of the store, on a connection of their own, so that they see committed data only. */
export class Queries {
  readonly #database: Database;
  readonly #statements = new Map<string, Statement>();
  #last: Promise<unknown> = Promise.resolve();

  constructor(database: Database) {
    this.#database = database;
  }

  async get(uuid: string): Promise<Submission | undefined> {
    const [row] = await this.#all(`select ${COLUMNS} from submissions where uuid = ?`, [uuid]);
    return row === undefined ? undefined : submissionOf(row);
  }

  /** Returns tasks in order of submission, the newest first. */
  async list({ states, search, before, limit }: ListOptions): Promise<readonly Submission[]> {
    const where: string[] = [];
    const values: Cell[] = [];
    if (states !== undefined) {
      where.push(`state in (${states.map(() => '?').join(', ')})`);
      values.push(...states);
    }
    if (before !== undefined) {
      where.push('seq < ?');
      values.push(BigInt(before));
    }
    if (search !== undefined && search !== '') {
      where.push('(instr(uuid, ?) or instr(line, ?))');
      where.push(`seq > (select max(seq) from submissions) - ${SEARCHED}`);
      values.push(search, search);
    }
    const condition = where.length === 0 ? '' : `where ${where.join(' and ')}`;
    const sql = `select ${COLUMNS} from submissions ${condition} order by seq desc limit ?`;
    return (await this.#all(sql, [...values, BigInt(limit)])).map(submissionOf);
  }

  /** Returns the next waiting tasks, the oldest first. */
  async waiting(after: number, limit: number): Promise<readonly Submission[]> {
    const sql = `select ${COLUMNS} from submissions where state = 'PENDING' and seq > ? order by seq limit ?`;
    return (await this.#all(sql, [BigInt(after), BigInt(limit)])).map(submissionOf);
  }

  /** Returns the numbers of tasks by state. */
  async counts(): Promise<Map<string, number>> {
    const rows = await this.#all('select state, count(*) from submissions group by state', []);
    return new Map(rows.map(([state, count]) => [String(state), Number(count)]));
  }

  /** Returns the result of a task that has ended. */
  async ending(uuid: string): Promise<Ending | undefined> {
    const [row] = await this.#all(
      'select result_key, error_code, error_message, attempts, ms from tasks where uuid = ?',
      [uuid],
    );
    if (row === undefined) return undefined;
    const [key, code, message, attempts, ms] = row as Cell[];
    return {
      result: await this.#resultOf(uuid, typeof key === 'string' ? key : 'result'),
      error: code == null ? undefined : { code: String(code), message: String(message) },
      attempts: attempts == null ? undefined : Number(attempts),
      ms: ms == null ? undefined : Number(ms),
    };
  }

  /** Returns a number that changes when another connection writes. */
  async version(): Promise<string> {
    const [[version] = []] = await this.#all('pragma data_version', []);
    return String(version);
  }

  close(): void {
    this.#database.close();
  }

  async #resultOf(uuid: string, key: string): Promise<string | undefined> {
    const there = await this.#all("select type from pragma_table_info('tasks') where name = ?", [key]);
    if (there.length === 0) return undefined;
    const [[value] = []] = await this.#database.all(`select ${identifier(key)} from tasks where uuid = ?`, [
      uuid,
    ]);
    if (value == null) return undefined;
    const isJson = /^json/i.test(String(there[0]?.[0]));
    if (isJson && typeof value === 'string') return value;
    return typeof value === 'bigint' ? String(value) : JSON.stringify(value);
  }

  /** Runs one query at a time: a statement that runs again loses its previous result. */
  #all(sql: string, values: readonly Cell[]): Promise<readonly (readonly Cell[])[]> {
    const rows = this.#last.then(async () => {
      const statement = this.#statements.get(sql) ?? (await this.#database.prepare(sql));
      this.#statements.set(sql, statement);
      return [...(await statement.rows(values))];
    });
    this.#last = rows.catch(() => {});
    return rows;
  }
}

const COLUMNS = 'seq, uuid, line, state, submitted, finished';

function submissionOf(row: readonly Cell[]): Submission {
  const [seq, uuid, line, state, submitted, finished] = row;
  return {
    seq: Number(seq),
    uuid: String(uuid),
    line: String(line),
    state: String(state),
    submitted: String(submitted),
    finished: typeof finished === 'string' ? finished : null,
  };
}
