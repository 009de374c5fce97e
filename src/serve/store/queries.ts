import { type Cell, type Database, identifier, type Statement } from '../../core/storage/sqlite-database.ts';
import type { DeathCount } from './contract.ts';

/** A task in the queue. */
export interface Submission {
  readonly seq: number;
  readonly uuid: string;
  readonly line: string;
  readonly state: string;
  readonly submitted: string;
  readonly finished: string | null;
  /** Start of the first attempt, once it has ended. */
  readonly started: string | null;
  /** Stack of the value that the work threw. */
  readonly stack: string | null;
}

export interface ListedTask extends Submission {
  readonly error: { readonly code: string; readonly message: string } | undefined;
  readonly attempts: number | undefined;
  readonly ms: number | undefined;
}

/** A task with its result. */
export interface FullTask extends ListedTask {
  /** JSON text, so that numbers keep their digits; undefined if there is none. */
  readonly result: string | undefined;
}

export interface ListOptions {
  /** States of the tasks; `RUNNING` selects those of `running`. */
  readonly states?: readonly string[] | undefined;
  /** Uuids of running tasks; their stored state is PENDING. */
  readonly running: readonly string[];
  /** Text that the uuid or the record contains. */
  readonly search?: string | undefined;
  /** Sequence number; only older tasks are returned. */
  readonly before?: number | undefined;
  readonly limit: number;
}

/** Number of the newest tasks that a search reads. */
const SEARCHED = 20_000;

/** Queries of the store, on a separate connection, so that they see only committed data. */
export class Queries {
  readonly #database: Database;
  readonly #statements = new Map<string, Statement>();
  readonly #check: () => void;
  #last: Promise<unknown> = Promise.resolve();

  /** @param check called before each query; throws if the database is not the one that the path names */
  constructor(database: Database, check: () => void) {
    this.#database = database;
    this.#check = check;
  }

  async get(uuid: string): Promise<Submission | undefined> {
    const [row] = await this.#all(`select ${COLUMNS} from submissions where uuid = ?`, [uuid]);
    return row === undefined ? undefined : submissionOf(row);
  }

  /** Returns tasks in order of submission, the newest first. */
  async list({ states, running, search, before, limit }: ListOptions): Promise<readonly ListedTask[]> {
    const where: string[] = [];
    const values: Cell[] = [];
    if (states !== undefined) {
      const { condition, cells } = stateCondition(states, running);
      where.push(condition);
      values.push(...cells);
    }
    if (before !== undefined) {
      where.push('seq < ?');
      values.push(BigInt(before));
    }
    if (search !== undefined && search !== '') {
      where.push('(instr(s.uuid, ?) or instr(line, ?))');
      where.push(`seq > (select max(seq) from submissions) - ${SEARCHED}`);
      values.push(search, search);
    }
    const condition = where.length === 0 ? '' : `where ${where.join(' and ')}`;
    const sql = `select ${LISTED} from submissions s left join tasks t on t.uuid = s.uuid ${condition} order by seq desc limit ?`;
    return (await this.#all(sql, [...values, BigInt(limit)])).map(listedOf);
  }

  /** Returns the next waiting tasks, the oldest first. */
  async waiting(after: number, limit: number): Promise<readonly Submission[]> {
    const sql = `select ${COLUMNS} from submissions where state = 'PENDING' and seq > ? order by seq limit ?`;
    return (await this.#all(sql, [BigInt(after), BigInt(limit)])).map(submissionOf);
  }

  /** Returns the unfinished tasks against which deaths of the stage count. */
  async suspects(): Promise<readonly DeathCount[]> {
    const rows = await this.#all(
      "select uuid, deaths, together from submissions where state = 'PENDING' and deaths > 0 order by seq",
      [],
    );
    return rows.map(([uuid, deaths, together]) => ({
      uuid: String(uuid),
      deaths: Number(deaths),
      together: Number(together),
    }));
  }

  /** Returns the numbers of tasks by state. */
  async counts(): Promise<Map<string, number>> {
    const rows = await this.#all('select state, count(*) from submissions group by state', []);
    return new Map(rows.map(([state, count]) => [String(state), Number(count)]));
  }

  /** Returns the tasks that ended since a time, among the newest 100,000 tasks. @param since ISO 8601, UTC */
  async ends(since: string): Promise<readonly { at: number; isFailure: boolean; ms: number | undefined }[]> {
    const sql = `select s.finished, s.state, t.ms from submissions s left join tasks t on t.uuid = s.uuid
      where s.finished >= ? and s.state <> 'CANCELLED' and s.seq > (select max(seq) from submissions) - 100000`;
    return (await this.#all(sql, [since])).map(([finished, state, ms]) => ({
      at: Date.parse(String(finished)),
      isFailure: state !== 'SUCCESS',
      ms: ms == null ? undefined : Number(ms),
    }));
  }

  /** Returns a task with its result. */
  async full(uuid: string): Promise<FullTask | undefined> {
    const [row] = await this.#all(
      `select ${ALL}, ${ENDING}, t.result_key from submissions s left join tasks t on t.uuid = s.uuid where s.uuid = ?`,
      [uuid],
    );
    if (row === undefined) return undefined;
    const task = listedOf(row.slice(0, -1));
    const key = row.at(-1);
    const hasEnded = task.finished !== null;
    const result = hasEnded
      ? await this.#resultOf(uuid, typeof key === 'string' ? key : 'result')
      : undefined;
    return { ...task, result };
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

  /** Runs one query at a time: running a statement again discards its previous result. */
  #all(sql: string, values: readonly Cell[]): Promise<readonly (readonly Cell[])[]> {
    const rows = this.#last.then(async () => {
      this.#check();
      const statement = this.#statements.get(sql) ?? (await this.#database.prepare(sql));
      this.#statements.set(sql, statement);
      return [...(await statement.rows(values))];
    });
    this.#last = rows.catch(() => {});
    return rows;
  }
}

/** Returns the condition of the states. The store has running tasks as PENDING. */
function stateCondition(
  states: readonly string[],
  running: readonly string[],
): { condition: string; cells: readonly Cell[] } {
  const stored = [...new Set(states)].filter((state) => state !== 'RUNNING' && state !== 'PENDING');
  const parts: string[] = [];
  const cells: Cell[] = [];
  const among = 's.uuid in (select value from json_each(?))';
  if (stored.length > 0) {
    parts.push(`s.state in (${stored.map(() => '?').join(', ')})`);
    cells.push(...stored);
  }
  for (const [state, condition] of [
    ['PENDING', `s.state = 'PENDING' and not ${among}`],
    ['RUNNING', `s.state = 'PENDING' and ${among}`],
  ] as const) {
    if (!states.includes(state)) continue;
    parts.push(`(${condition})`);
    cells.push(JSON.stringify(running));
  }
  return { condition: `(${parts.join(' or ')})`, cells };
}

const COLUMNS = 'seq, uuid, line, state, submitted, finished, started, stack';
const ALL = COLUMNS.replace(/\w+/g, 's.$&');
const ENDING = 't.error_code, t.error_message, t.attempts, t.ms';
/** Columns of a list, with the beginning of the record only: some are a megabyte long. */
const LISTED = `${ALL.replace('s.line', 'substr(s.line, 1, 2000)')}, ${ENDING}`;

function endOf(
  code: Cell | undefined,
  message: Cell | undefined,
  attempts: Cell | undefined,
  ms: Cell | undefined,
): Pick<ListedTask, 'error' | 'attempts' | 'ms'> {
  return {
    error: code == null ? undefined : { code: String(code), message: String(message) },
    attempts: attempts == null ? undefined : Number(attempts),
    ms: ms == null ? undefined : Number(ms),
  };
}

function listedOf(row: readonly Cell[]): ListedTask {
  const [code, message, attempts, ms] = row.slice(-4);
  return { ...submissionOf(row), ...endOf(code, message, attempts, ms) };
}

function submissionOf(row: readonly Cell[]): Submission {
  const [seq, uuid, line, state, submitted, finished, started, stack] = row;
  return {
    seq: Number(seq),
    uuid: String(uuid),
    line: String(line),
    state: String(state),
    submitted: String(submitted),
    finished: typeof finished === 'string' ? finished : null,
    started: typeof started === 'string' ? started : null,
    stack: typeof stack === 'string' ? stack : null,
  };
}
