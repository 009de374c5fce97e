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

/** Decision on a server. */
export interface ServerRules {
  /** Returns whether commands may be sent to a server. @param info answer to INFO; empty if the user may not ask */
  isAccepted(info: Readonly<Record<string, string>>): boolean;
}

/**
 * Returns a class that opens connections to one server for ioredis. Commands are sent only once the server is accepted;
 * otherwise the connection is closed, and the next one may lead to another server of the same name.
 * @param Base class of ioredis, which is loaded only when it is needed
 */
export function connectorOf(
  Base: typeof AbstractConnector,
  rules: ServerRules,
): new (
  options: unknown,
) => AbstractConnector {
  return class extends Base {
    readonly #options: ConnectorOptions;

    constructor(options: unknown) {
      super((options as ConnectorOptions).disconnectTimeout);
      this.#options = options as ConnectorOptions;
    }

    override check(info: Readonly<Record<string, string>>): boolean {
      return rules.isAccepted(info);
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
