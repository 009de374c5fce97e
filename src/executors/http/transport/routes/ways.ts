import { parseOption } from '../../../../core/options/option.ts';
import { type LocalAddress, localAddress } from '../names/local-address.ts';
import { type Detours, detoursOf } from './detours.ts';
import { type RouteOptions, routeOptions } from './route-options.ts';

/** Routes of connections, as options change them. */
export interface Ways {
  /** Places of `--connect-to` and `--resolve`. */
  readonly detours?: Detours | undefined;
  /** Addresses of `--interface`. */
  readonly local?: LocalAddress | undefined;
}

/** Returns the ways that options ask for. @throws {TaskpipeError} `USAGE` if an option is invalid */
export function waysOf({ connectTo = [], resolve = [], interface: own }: RouteOptions): Ways {
  for (const typed of connectTo) parseOption(routeOptions.connectTo, typed, '--connect-to');
  for (const typed of resolve) parseOption(routeOptions.resolve, typed, '--resolve');
  return {
    detours: detoursOf(connectTo, resolve),
    local: own === undefined ? undefined : localAddress(own),
  };
}
