import type { HeaderList } from '../../request/headers.ts';
import type { Sender } from '../connection-pool.ts';

/** Route to a target. */
export interface Route {
  readonly dispatcher: Sender;
  /** Origin to connect to. */
  readonly origin: string;
  /** Path to request. */
  readonly path: string;
  /** Headers to add. */
  readonly headers: HeaderList;
  /** Peer for messages, if it is not the target. */
  readonly peer?: string;
}
