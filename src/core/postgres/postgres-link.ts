import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from 'pg';
import { messageOf } from '../base/errors.ts';
import { PATIENCE } from '../options/server-patience.ts';
import type { PostgresCell, PostgresLink, PostgresSession, PostgresSettings } from './contract.ts';
import { passwordInFile } from './password-file.ts';
import type { PostgresAddress } from './postgres-address.ts';
import { isLost, isPassing, postgresFault, SILENT } from './postgres-faults.ts';
import { AS_TEXT, LOCK_WAIT, prepareSession } from './postgres-session.ts';
import { NO_TLS, postgresTls } from './postgres-tls.ts';
import { isServerBusy, STOPPING, streamOf, watched } from './postgres-watch.ts';

/** Pause before another attempt, in milliseconds. */
const PAUSE = 250;

/** Returns a connection to a database. It connects when it is first used. */
export function openPostgres(address: PostgresAddress, settings: PostgresSettings = {}): PostgresLink {
  return new Link(address, settings);
}

class Link implements PostgresLink {
  readonly address: PostgresAddress;
  readonly #settings: PostgresSettings;
  readonly #patience: number;
  #session: PostgresSession | undefined;
  /** Client of the session. */
  #client: Client | undefined;
  #connections = 0;
  #isClosed = false;
  /** Mode of TLS: `prefer` becomes `disable` for a server without TLS. */
  #isPlain = false;

  constructor(address: PostgresAddress, settings: PostgresSettings) {
    this.address = address;
    this.#settings = settings;
    this.#patience = settings.patience ?? PATIENCE;
  }

  fault(error: unknown): ReturnType<typeof postgresFault> {
    return postgresFault(error, this.address);
  }

  async run<T>(work: (session: PostgresSession) => Promise<T>): Promise<T> {
    let since: number | undefined;
    for (;;) {
      try {
        const session = await this.#connected();
        const result = await this.#watched(session, work);
        if (since !== undefined) this.#warn('is back');
        return result;
      } catch (error) {
        if (isLost(error)) this.#drop();
        const now = performance.now();
        if (!isPassing(error) || this.#isClosed) throw this.fault(error);
        if (since === undefined) this.#tellWait(error);
        since ??= now;
        if (now - since >= this.#limit() || this.#settings.aborting?.aborted) throw this.fault(error);
        await sleep(Math.min(PAUSE, this.#patience));
      }
    }
  }

  commit<T>(work: (session: PostgresSession) => Promise<T>): Promise<T> {
    return this.run(async (session) => {
      await session.begin();
      try {
        const result = await work(session);
        await session.exec('commit');
        return result;
      } catch (error) {
        if (!isLost(error)) await session.exec('rollback').catch(() => this.#drop());
        throw error;
      }
    });
  }

  async *read(
    queryFor: (session: PostgresSession) => Promise<string | undefined>,
    size: number,
  ): AsyncGenerator<readonly (readonly PostgresCell[])[]> {
    const { session, sql } = await this.run(async (one) => {
      await one.begin('read only');
      return { session: one, sql: await queryFor(one) };
    });
    if (sql === undefined) return;
    try {
      yield* this.batches(session, sql, size);
    } catch (error) {
      throw this.fault(error);
    }
  }

  async *batches(
    session: PostgresSession,
    sql: string,
    size: number,
  ): AsyncGenerator<readonly (readonly PostgresCell[])[]> {
    const batches = session.batches(sql, size);
    for (;;) {
      const next = await this.#watched(session, () => batches.next(), true);
      if (next.done) return;
      yield next.value;
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    const client = this.#client;
    this.#forget(client);
    if (client === undefined) return;
    const late = new AbortController();
    const wait = sleep(STOPPING, undefined, { signal: late.signal }).catch(() => {});
    await Promise.race([client.end().catch(() => {}), wait]);
    late.abort();
    streamOf(client).destroy();
  }

  /** Time to wait for an unavailable server, in milliseconds. */
  #limit(): number {
    return this.#settings.stopping?.aborted ? Math.min(this.#patience, STOPPING) : this.#patience;
  }

  /**
   * Runs `work`, and ends the connection if the server is silent for too long, unless it works on a statement.
   * @param isRead true if a stop need not wait for the answer
   */
  async #watched<T>(
    session: PostgresSession,
    work: (session: PostgresSession) => Promise<T>,
    isRead = false,
  ): Promise<T> {
    const client = this.#client;
    if (client === undefined) throw new Error('Connection terminated'); // since the last statement
    const silence = Math.max(1, this.#limit()) + (this.#patience < LOCK_WAIT ? 0 : LOCK_WAIT);
    const watch = {
      silence,
      isBusy: () => isServerBusy(client, () => this.#openClient()),
      stopping: isRead ? this.#settings.stopping : undefined,
      warn: (words: string) => this.#warn(words),
    };
    return watched(streamOf(client), watch, () => work(session));
  }

  async #connected(): Promise<PostgresSession> {
    if (this.#session !== undefined) return this.#session;
    try {
      return await this.#connect();
    } catch (error) {
      const { mode } = this.address.tls;
      if (mode !== 'prefer' || this.#isPlain || messageOf(error) !== NO_TLS) throw error;
      this.#isPlain = true;
      return this.#connect();
    }
  }

  /** Opens a client that is lost if the server does not answer soon. */
  async #openClient(): Promise<Client> {
    const { default: pg } = await import('pg');
    const { host, port, database, user, password, connectWithin, applicationName } = this.address;
    const within = Math.min(connectWithin, this.#patience);
    const client = new pg.Client({
      ...{ host, port, database, user, application_name: applicationName, types: AS_TEXT },
      password: () => password ?? passwordInFile(this.address, (words) => this.#settings.warn?.(words)) ?? '',
      ssl: this.#isPlain ? false : postgresTls(this.address),
      connectionTimeoutMillis: within,
      ...{ keepAlive: true, keepAliveInitialDelayMillis: 10_000 },
    });
    client.on('error', () => this.#forget(client)); // the next statement reports it
    client.on('end', () => this.#forget(client));
    try {
      await client.connect();
    } catch (error) {
      streamOf(client).destroy();
      throw error;
    }
    const stream = streamOf(client);
    stream.setTimeout(within, () => stream.destroy(new Error(SILENT)));
    return client;
  }

  async #connect(): Promise<PostgresSession> {
    const client = await this.#openClient();
    const stream = streamOf(client);
    try {
      const session = await prepareSession(client, ++this.#connections, this.#settings.sync !== false);
      stream.setTimeout(0).removeAllListeners('timeout');
      this.#session = session;
      this.#client = client;
      return session;
    } catch (error) {
      stream.destroy();
      throw error;
    }
  }

  #forget(client: Client | undefined): void {
    if (this.#client !== client) return;
    this.#session = undefined;
    this.#client = undefined;
  }

  #drop(): void {
    const client = this.#client;
    this.#forget(client);
    if (client !== undefined) streamOf(client).destroy();
  }

  #tellWait(error: unknown): void {
    const { message } = this.fault(error);
    this.#settings.warn?.(`${message}; trying again for ${this.#patience / 1000} s`);
  }

  #warn(words: string): void {
    this.#settings.warn?.(`${this.address.place} ${words}`);
  }
}
