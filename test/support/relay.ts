import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';

/** State of a network: it passes bytes on, loses them both ways, loses those of the server, or refuses connections. */
export type Weather = 'open' | 'hole' | 'mute' | 'cut';

/** TCP relay to a server of this machine, which imitates the faults of a network. */
export interface Relay {
  readonly port: number;
  /** Number of connections so far. */
  readonly opened: number;
  /**
   * Changes the network. Data that is lost in a hole is sent again when the hole ends, as TCP does. A cut resets all
   * connections, and each new one.
   * @param delay of each way, in milliseconds. Default 0.
   */
  set(weather: Weather, delay?: number): void;
  close(): void;
}

/** One direction of a connection: chunks that wait until they are due, and while they cannot pass. */
class Way {
  readonly #to: Socket;
  readonly #isOpen: () => boolean;
  readonly #chunks: { readonly chunk: Buffer | null; readonly due: number }[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, isOpen: () => boolean, delay: () => number) {
    this.#to = to;
    this.#isOpen = isOpen;
    const take = (chunk: Buffer | null): void => {
      this.#chunks.push({ chunk, due: performance.now() + delay() });
      this.pass();
    };
    from.on('data', take);
    from.on('close', () => take(null)); // after its end, or its death
    from.on('end', () => take(null));
  }

  /** Passes on what may pass. */
  readonly pass = (): void => {
    clearTimeout(this.#timer);
    for (let [first] = this.#chunks; first !== undefined && this.#isOpen(); [first] = this.#chunks) {
      const wait = first.due - performance.now();
      if (wait > 0) {
        this.#timer = setTimeout(this.pass, wait);
        return;
      }
      this.#chunks.shift();
      if (first.chunk === null) this.#to.end();
      else this.#to.write(first.chunk);
    }
  };
}

/** A connection of a client. */
interface Line {
  readonly sockets: readonly [Socket, Socket];
  readonly ways: readonly [Way, Way];
}

/** Starts a relay. @param target returns the port of the server; called for each connection, because the server may move */
export async function startRelay(target: () => number): Promise<Relay> {
  const lines = new Set<Line>();
  let weather: Weather = 'open';
  let delay = 0;
  let opened = 0;
  const cut = ({ sockets }: Line): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const server = createServer({ allowHalfOpen: true }, (client) => {
    opened++;
    client.on('error', () => {});
    if (weather === 'cut') return void client.resetAndDestroy();
    const upstream = connect({ port: target(), host: '127.0.0.1', allowHalfOpen: true });
    const isOpen = (): boolean => weather !== 'hole';
    const line: Line = {
      sockets: [client, upstream],
      ways: [
        new Way(client, upstream, isOpen, () => delay),
        new Way(
          upstream,
          client,
          () => isOpen() && weather !== 'mute',
          () => delay,
        ),
      ],
    };
    lines.add(line);
    upstream.on('error', () => cut(line)); // it is not there
    upstream.on('close', () => lines.delete(line));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as { port: number }).port,
    get opened() {
      return opened;
    },
    set(next, wait = 0) {
      weather = next;
      delay = wait;
      for (const line of lines) {
        if (next === 'cut') cut(line);
        else for (const way of line.ways) way.pass();
      }
    },
    close() {
      for (const line of lines) cut(line);
      server.close();
    },
  };
}
