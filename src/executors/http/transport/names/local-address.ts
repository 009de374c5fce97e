import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { TaskpipeError } from '../../../../core/base/errors.ts';
import { quoted } from '../../../../core/base/terminal-text.ts';

/** Local addresses of connections. */
export interface LocalAddress {
  /** Family of the addresses that names are looked up for. */
  readonly family: 4 | 6;
  /** Returns the address for connections to a host; undefined if the host is an address of the other family. */
  for(hostname: string): string | undefined;
}

/**
 * Returns the local addresses of `--interface`: an address, or the name of an interface. Names of hosts are then looked
 * up for IPv4, or for IPv6 if the interface has no address of IPv4.
 * @throws {TaskpipeError} `USAGE` if this machine has no such address or interface
 */
export function localAddress(given: string): LocalAddress {
  const own = addressesOf(given);
  const v4 = own.find((address) => isIP(address) === 4);
  const v6 = own.find((address) => isIP(address) === 6);
  return {
    family: v4 === undefined ? 6 : 4,
    for(hostname) {
      const family = isIP(hostname);
      if (family === 0) return v4 ?? v6;
      return family === 4 ? v4 : v6;
    },
  };
}

function addressesOf(given: string): string[] {
  const all = networkInterfaces();
  const isOwn = Object.values(all).some((some) => some?.some(({ address }) => address === given));
  // Linux answers for all of 127.0.0.0/8.
  if (isOwn || (isIP(given) === 4 && given.startsWith('127.'))) return [given];
  const addresses = (all[given] ?? []).map(({ address }) => address);
  const usable = addresses.filter((address) => !/^fe[89ab]/i.test(address));
  if (usable.length > 0) return usable;
  const what = isIP(given) === 0 ? 'interface' : 'address';
  const names = Object.keys(all).join(', ');
  throw new TaskpipeError(
    'USAGE',
    `--interface: this machine has no ${what} ${quoted(given)}; its interfaces are ${names}`,
  );
}

/** Returns the error for a host with another address family than the local address. */
export function noLocalAddress(hostname: string): Error {
  const family = isIP(hostname) === 6 ? 'IPv6' : 'IPv4';
  return Object.assign(new Error(`--interface has no address of ${family}`), { code: 'EAFNOSUPPORT' });
}
