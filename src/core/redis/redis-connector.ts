import { connect } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import type { AbstractConnector } from 'ioredis';

/** The options of ioredis that a connector reads. */
interface ConnectorOptions {
  readonly host: string;
  readonly port: number;
  readonly disconnectTimeout: number;
  readonly tls?: ConnectionOptions;
}

/** Answer to INFO, as ioredis parses it. */
type Info = Readonly<Record<string, string>>;

/**
 * Returns a class that opens connections to one server for ioredis. Commands are sent only once the server is accepted;
 * otherwise the connection is closed, and the next one may lead to another server of the same name.
 * @param Base class of ioredis, which is loaded only when it is needed
 * @param isAccepted called with the answer to INFO, which is empty if the user may not ask
 */
export function connectorOf(
  Base: typeof AbstractConnector,
  isAccepted: (info: Info) => boolean,
): new (
  options: unknown,
) => AbstractConnector {
  return class extends Base {
    readonly #options: ConnectorOptions;

    constructor(options: unknown) {
      super((options as ConnectorOptions).disconnectTimeout);
      this.#options = options as ConnectorOptions;
    }

    override check(info: Info): boolean {
      return isAccepted(info);
    }

    override async connect() {
      const { host, port, tls } = this.#options;
      this.connecting = true;
      const stream = tls === undefined ? connect({ host, port }) : connectTls({ host, port, ...tls });
      const keepFirst = (error: Error): void => {
        this.firstError = error;
      };
      stream.once('error', keepFirst);
      this.stream = stream;
      return stream;
    }
  };
}
