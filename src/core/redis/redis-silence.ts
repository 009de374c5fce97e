import type { Redis } from 'ioredis';

/** Interval of the checks, in milliseconds. */
const CHECK = 500;
/** Silence after which a connection is given up, in milliseconds: a server that works answers sooner. */
const SILENCE = 5000;

/** Options of `watchSilence`. */
export interface SilenceOptions {
  /** Maximum silence of a connection, in milliseconds. */
  readonly patience: number;
  /** Aborted to wait no longer. */
  readonly aborting?: AbortSignal | undefined;
  /** Returns whether the server is unavailable for too long. */
  isOver(): boolean;
  /** Called before the connection is closed for silence. @param isLast true if it is not opened again */
  onSilence(isLast: boolean): void;
}

/**
 * Watches a connection. A server that is frozen, or behind a network that drops packets, closes no connection, so
 * commands would wait forever. A silent connection is replaced; if the server stays away for longer than `patience`,
 * the client is closed.
 * @returns a function that stops the watch
 */
export function watchSilence(client: Redis, options: SilenceOptions): () => void {
  const { patience, aborting } = options;
  let silentFor = 0;
  let isAsking = false;
  let before = '';
  const check = (): void => {
    if (options.isOver()) {
      // Between two attempts there is no connection to close: the next attempt is then not made.
      if (client.status === 'reconnecting') return;
      options.onSilence(true);
      client.disconnect();
      return;
    }
    if (client.status === 'ready' && !isAsking) {
      isAsking = true;
      silentFor = 0;
      const answered = (): void => {
        isAsking = false;
      };
      client.ping().then(answered, answered);
    }
    const traffic = trafficOf(client);
    // Counted in checks, not by the clock: this process may have been blocked or suspended.
    silentFor = traffic === before ? silentFor + CHECK : 0;
    before = traffic;
    const isWaiting = client.status === 'connect' || (client.status === 'ready' && isAsking);
    if (!isWaiting || silentFor < Math.min(patience, SILENCE)) return;
    silentFor = 0;
    isAsking = false;
    options.onSilence(false);
    client.disconnect(true);
  };
  const timer = setInterval(check, CHECK).unref();
  aborting?.addEventListener('abort', check);
  return () => {
    clearInterval(timer);
    aborting?.removeEventListener('abort', check);
  };
}

/**
 * Rejects the commands that the last connection left without an answer: ioredis keeps them for a later connection,
 * and forgets them if there is none, and then their callers would wait forever.
 */
export function rejectUnanswered(client: Redis, error: Error): void {
  const { prevCommandQueue: left } = client as unknown as { prevCommandQueue?: CommandQueue | null };
  for (let item = left?.shift(); item !== undefined; item = left?.shift()) item.command.reject(error);
}

/** Commands that ioredis keeps. */
interface CommandQueue {
  shift(): { readonly command: { reject(error: Error): void } } | undefined;
}

/** Returns a text that changes whenever the connection receives bytes or sends waiting ones. */
function trafficOf({ stream }: Redis): string {
  const { bytesRead, writableLength } = (stream ?? {}) as { bytesRead?: number; writableLength?: number };
  return `${bytesRead}/${writableLength}`;
}
