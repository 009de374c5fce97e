import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { expect } from 'vitest';
import { type Ended, ended, sh, start } from '../../support/run.ts';
import { until } from '../../support/until.ts';
import type { Place, Saver } from './savers.ts';

/** Returns the records from one number to before another. */
export function recordsFrom(from: number, to: number): string {
  const line = (i: number): string =>
    `{"uuid":"u${i}","part":"p${i % 3}","n":${i},"v":"é, \\"${i}\\"\\n${Math.sin(i)}"}\n`;
  return Array.from({ length: to - from }, (_, i) => line(from + i)).join('');
}

function commandOf(saver: Saver, place: Place, options: string): string {
  return `task-save ${saver.output(place)} --ledger ${saver.ledger(place)} ${options}`;
}

/** Runs task-save to its end. */
export function save(saver: Saver, place: Place, input: string, options = ''): Promise<Ended> {
  return sh(commandOf(saver, place, options), { cwd: place.cwd, input });
}

/** A task-save whose input is open. */
export interface RunningSaver {
  /** Uuids that were passed on, so that their rows are safe. */
  readonly passed: readonly string[];
  /** Writes the records from one number to before another. */
  feed(from: number, to: number): void;
  /** Resolves when this number of records were passed on. */
  acknowledged(count: number): Promise<void>;
  /** Kills the process. Resolves with the uuids that were passed on. */
  kill(): Promise<readonly string[]>;
  /** Ends the input. */
  end(): Promise<Ended>;
  /** Lets each further write fail. Resolves with the function that allows them again. */
  refuseWrites(): Promise<() => Promise<void>>;
}

/** Starts task-save, and keeps its input open. */
export function startSaver(saver: Saver, place: Place, options: string): RunningSaver {
  const { cwd, server } = place;
  const child = start(`exec ${commandOf(saver, place, `--tee ${options}`)}`, { cwd });
  child.stdin?.on('error', () => {}); // it may have ended
  const passed: string[] = [];
  createInterface({ input: child.stdout as Readable }).on('line', (line) => {
    const uuid = /"uuid":"([^"]+)"/.exec(line)?.[1];
    if (uuid !== undefined) passed.push(uuid);
  });
  const ending = ended(child);
  let over: Ended | undefined;
  void ending.then((end) => {
    over = end;
  });
  return {
    passed,
    feed: (from, to) => void child.stdin?.write(recordsFrom(from, to)),
    async acknowledged(count) {
      await until(() => passed.length >= count || over !== undefined);
      expect([passed.length >= count, over?.stderr]).toEqual([true, undefined]);
    },
    async kill() {
      child.kill('SIGKILL');
      expect((await ending).signal).toBe('SIGKILL');
      return passed;
    },
    end() {
      child.stdin?.end();
      return ending;
    },
    async refuseWrites() {
      if (saver.path !== undefined) {
        // no file may get longer than a byte
        expect(await sh(`prlimit --pid ${child.pid} --fsize=1`)).toMatchObject({ code: 0 });
        return async () => {};
      }
      const set = async (sql: string, value: string): Promise<void> => {
        server?.sql(`alter system ${sql}`);
        server?.sql('select pg_reload_conf()');
        // once a new session has the value, all others have received the signal to read it
        await until(() => server?.sql('show default_transaction_read_only') === value);
      };
      await set('set default_transaction_read_only = on', 'on');
      return () => set('reset default_transaction_read_only', 'off');
    },
  };
}
