import { once } from 'node:events';
import { openAppendStream } from '../storage/append-stream.ts';
import { encodeUtf8 } from './encoding.ts';
import type { BadInput, Reject } from './lines.ts';

/** Sink for rejected input: `--rejects FILE`, and a message on stderr. */
export interface Rejects {
  readonly reject: Reject;
  /** Number of rejected inputs so far. */
  readonly count: number;
  /** Resolves when rejected input no longer takes memory. Await it after each batch. */
  flush(): Promise<void>;
  /** Completes the file. @throws {TaskpipeError} `IO` */
  close(): Promise<void>;
}

/** Message if no line of the input was a task. */
export const NO_TASKS = 'no line is a task: task-load FILE makes them; behind jq, it has to be jq -c';

/** Number of rejects that stderr shows one by one; the rest are counted. */
const SAID = 10;

/**
 * Opens the file of rejects, if there is one.
 * @param options.file file to append to, which several stages may share: NDJSON with an object for each
 *   reject, `{"source","line","code","message","text"}`, with `base64` instead of `text` if that is not UTF-8
 * @param options.say writes a line to stderr
 */
export async function openRejects(options: {
  file?: string | undefined;
  warn: (message: string) => void;
}): Promise<Rejects> {
  const { file, warn } = options;
  const out = file === undefined ? undefined : await openAppendStream('--rejects', file);
  let count = 0;
  let saidRemedy = false;
  let waiting = '';
  const write = (): boolean => {
    const text = waiting;
    waiting = '';
    return text === '' || out === undefined || out.lines.write(text);
  };
  return {
    get count() {
      return count;
    },
    reject(bad) {
      count++;
      // Serialized immediately: the line would keep the whole chunk in memory that it is part of.
      if (out !== undefined) waiting += `${JSON.stringify(describe(bad))}\n`;
      const remedy =
        file === undefined && bad.code === 'CSV' && !saidRemedy ? ' (--rejects FILE keeps such rows)' : '';
      saidRemedy ||= remedy !== '';
      if (count <= SAID) warn(`${bad.source}:${bad.line}: ${bad.message}${remedy}`);
      else if (count === SAID + 1) warn('more of them are counted, but not shown');
    },
    async flush() {
      if (out === undefined || waiting === '') return;
      if (!write()) await Promise.race([once(out.lines, 'drain').catch(() => out.ended), out.ended]);
      await out.check();
    },
    async close() {
      write();
      out?.lines.end();
      await out?.ended;
    },
  };
}

/** Yields the batches, and writes all rejected input before each of them. */
export async function* flushed<T>(batches: AsyncIterable<T>, rejects: Rejects): AsyncGenerator<T> {
  for await (const batch of batches) {
    await rejects.flush();
    yield batch;
  }
}

function describe({ source, line, code, message, text }: BadInput): object {
  const input = text.isWellFormed() ? { text } : { base64: encodeUtf8(text).toString('base64') };
  return { source, line, code, message, ...input };
}
