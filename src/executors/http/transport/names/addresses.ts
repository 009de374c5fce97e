import { BlockList, isIP, type LookupFunction } from 'node:net';
import type { IPv4, IPv6 } from 'ipaddr.js';
import { InvalidValue } from '../../../../core/options/option.ts';

/** Function that returns whether an IP address may be connected to. */
export type AddressRule = (address: string) => boolean;

/** Code of the error of a connection that the rule forbids. */
export const DENIED = 'ADDRESS_DENIED';

/** Assigned addresses of IPv6: `2000::/3`. The list of special ranges does not cover the rest. */
const ASSIGNED_IPV6 = '2000::/3';

/** Prefix of addresses that a NAT64 gateway translates to IPv4 (RFC 6052). */
const NAT64 = '64:ff9b::/96';

/**
 * Returns a rule that allows addresses of the public internet and the given networks. Everything that IANA lists for
 * special purposes (RFC 6890) is denied: private, shared, link-local (where clouds keep their metadata), reserved …
 */
export async function publicOr(exceptions: BlockList): Promise<AddressRule> {
  const { default: ip } = await import('ipaddr.js');
  const assigned = ip.IPv6.parseCIDR(ASSIGNED_IPV6);
  const nat64 = ip.IPv6.parseCIDR(NAT64);
  const isPublic = (address: IPv4 | IPv6): boolean => {
    if (address.kind() === 'ipv4') return address.range() === 'unicast';
    const v6 = address as IPv6;
    if (v6.isIPv4MappedAddress()) return isPublic(v6.toIPv4Address());
    if (v6.match(nat64)) return isPublic(ip.fromByteArray(v6.toByteArray().slice(12)));
    // Teredo and 6to4, which can reach any address of IPv4, are separate ranges.
    return v6.range() === 'unicast' && v6.match(assigned);
  };
  return (found) => {
    const address = found.replace(/%.*$/, ''); // the zone of a link-local address
    const family = isIP(address);
    if (family === 0) return false; // ipaddr.js would also take 0x7f.1
    return isPublic(ip.parse(address)) || exceptions.check(address, family === 4 ? 'ipv4' : 'ipv6');
  };
}

/** Adds a network such as `10.0.0.0/8` or `[fe80::]/10` to a list. Returns false if the text is not a network. */
export function addIfNetwork(list: BlockList, text: string): boolean {
  const [, address = '', bits] = /^\[?([0-9a-f.:]+)\]?\/(\d{1,3})$/i.exec(text) ?? [];
  const family = isIP(address);
  if (family === 0 || Number(bits) > (family === 4 ? 32 : 128)) return false;
  list.addSubnet(address, Number(bits), family === 4 ? 'ipv4' : 'ipv6');
  return true;
}

/** Parses a list of addresses and networks such as `10.1.0.0/16,::1`. @throws {InvalidValue} */
export function toNetworks(text: string): BlockList {
  const list = new BlockList();
  for (const entry of text.split(',').map((one) => one.trim())) {
    const family = isIP(entry);
    if (!addIfNetwork(list, family === 0 ? entry : `${entry}/${family === 4 ? 32 : 128}`))
      throw new InvalidValue('must be addresses or networks separated by commas, such as 10.1.0.0/16,::1');
  }
  return list;
}

/** Parses addresses of DNS servers with or without a port, such as `1.1.1.1,[::1]:5353`. @throws {InvalidValue} */
export function toServers(text: string): string[] {
  const servers = text.split(',').map((one) => one.trim());
  for (const server of servers) {
    const [, v6, v4 = v6 ?? server, port = '53'] =
      /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(server) ?? [];
    if (isIP(v4) === 0 || Number(port) === 0 || Number(port) > 65_535)
      throw new InvalidValue(
        'must be addresses of DNS servers separated by commas, such as 1.1.1.1,[::1]:5353',
      );
  }
  return servers;
}

export function deniedError(): NodeJS.ErrnoException {
  return Object.assign(new Error('the address is denied'), { code: DENIED });
}

/**
 * Returns a lookup that returns only the addresses that the rule allows. The connection uses this answer, so a second
 * one for the same name (DNS rebinding) cannot lead elsewhere.
 */
export function guardedLookup(mayConnect: AddressRule, lookup: LookupFunction): LookupFunction {
  return (hostname, options, done) => {
    lookup(hostname, { ...options, all: true }, (error, found) => {
      if (error !== null || typeof found === 'string') return done(error, []);
      const allowed = found.filter(({ address }) => mayConnect(address));
      const [first] = allowed;
      if (first === undefined) return done(deniedError(), []);
      return options.all === true ? done(null, allowed) : done(null, first.address, first.family);
    });
  };
}
