import { lookup } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import { Rule } from '../../core/option.ts';

/** Says whether an address, as a connection has it, may be connected to. */
export type AddressRule = (address: string) => boolean;

/** The `code` of the error that stands for a connection which was not made. */
export const DENIED = 'ADDRESS_DENIED';

/**
 * What is not the public internet, by the registries of IANA for special purposes (RFC 6890): this host and
 * network, private, shared, link-local (where clouds keep their metadata), documentation, benchmarks, multicast,
 * reserved.
 */
const PRIVATE_IPV4: readonly string[] = [
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.0.2.0/24', '192.88.99.0/24', '192.168.0.0/16', '198.18.0.0/15'],
  ...['198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'],
];

/** The same, within what IPv6 gives out at all: Teredo and 6to4 lead to any address of IPv4. */
const PRIVATE_IPV6: readonly string[] = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];

/** What IPv6 gives out at all. */
const GIVEN_OUT = '2000::/3';

/** Where the addresses of IPv4 lie in IPv6: as they are, and for who has IPv6 alone (NAT64, RFC 6052). */
const OF_IPV4: readonly string[] = ['::ffff:', '64:ff9b::'];

function publicRule(): AddressRule {
  const denied = new BlockList();
  const given = new BlockList();
  for (const network of [...PRIVATE_IPV4, ...PRIVATE_IPV6]) addNetwork(denied, network);
  for (const before of OF_IPV4) {
    for (const network of PRIVATE_IPV4) addNetwork(denied, withinIpv6(before, network));
    addNetwork(given, `${before}0.0.0.0/96`);
  }
  addNetwork(given, GIVEN_OUT);
  return (address) => {
    if (isIP(address) === 4) return !denied.check(address);
    return given.check(address, 'ipv6') && !denied.check(address, 'ipv6');
  };
}

function withinIpv6(before: string, network: string): string {
  const [address, bits] = network.split('/');
  return `${before}${address}/${96 + Number(bits)}`;
}

function addNetwork(list: BlockList, network: string): void {
  const [address = '', bits] = network.split('/');
  list.addSubnet(address, Number(bits), isIP(address) === 4 ? 'ipv4' : 'ipv6');
}

/**
 * Adds `10.0.0.0/8`, `[fe80::]/10` or the like to a list.
 * @returns whether it is such a network
 */
export function addIfNetwork(list: BlockList, text: string): boolean {
  const [, address = '', bits] = /^\[?([0-9a-f.:]+)\]?\/(\d{1,3})$/i.exec(text) ?? [];
  const family = isIP(address);
  if (family === 0 || Number(bits) > (family === 4 ? 32 : 128)) return false;
  addNetwork(list, `${address}/${bits}`);
  return true;
}

/** What lets addresses of the public internet through, and those of some networks more. */
export function publicOr(exceptions: BlockList): AddressRule {
  const isPublic = publicRule(); // made here, as it takes 5 ms, and few ask for it
  return (found) => {
    const address = found.replace(/%.*$/, ''); // the zone of a link-local address
    const family = isIP(address);
    if (family === 0) return false;
    return isPublic(address) || exceptions.check(address, family === 4 ? 'ipv4' : 'ipv6');
  };
}

/**
 * A list of addresses and networks, as in `10.1.0.0/16,::1`.
 * @throws {Rule} where it is none
 */
export function toNetworks(text: string): BlockList {
  const list = new BlockList();
  for (const entry of text.split(',').map((one) => one.trim())) {
    const family = isIP(entry);
    if (!addIfNetwork(list, family === 0 ? entry : `${entry}/${family === 4 ? 32 : 128}`))
      throw new Rule('must be addresses or networks with commas between them, as in 10.1.0.0/16,::1');
  }
  return list;
}

/** The error of a connection that the rule forbids. */
export function deniedError(): NodeJS.ErrnoException {
  return Object.assign(new Error('the address is denied'), { code: DENIED });
}

/**
 * Resolves names to those of their addresses that the rule lets through. A connection is made to what this gives, so
 * that no second answer for the same name (DNS rebinding) can lead elsewhere.
 */
export function guardedLookup(mayConnect: AddressRule): LookupFunction {
  return (hostname, options, done) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null) return done(error, []);
      const allowed = found.filter(({ address }) => mayConnect(address));
      const [first] = allowed;
      if (first === undefined) return done(deniedError(), []);
      return options.all === true ? done(null, allowed) : done(null, first.address, first.family);
    });
  };
}
