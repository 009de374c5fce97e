import { flag, value } from '../../../../core/options/declare.ts';
import { toNetworks, toServers } from './addresses.ts';

/** Options of an HTTP stage for the servers that it may connect to, and for their names. */
export const nameOptions = {
  /** DNS servers, such as `1.1.1.1,[::1]:5353`. Default: those of the system. */
  resolver: value(
    'DNS servers to use, such as 1.1.1.1,[::1]:5353; default: those of the system',
    'LIST',
    toResolver,
    {
      details:
        'Names are looked up without blocking, and remembered for as long as DNS allows. The hosts file and search domains apply. Names without a dot are left to the system.',
    },
  ),
  /** Accepts any TLS certificate. */
  insecure: flag('accept any TLS certificate'),
  /** Refuses private and local addresses, also after redirects. Of proxies, only `socks5://` can be combined with it. */
  denyPrivate: flag('refuse private and local addresses, also after redirects', {
    details:
      'For urls from people you do not trust. The address that a name resolves to is checked when the connection is made, so a name that changes its address does not get around it. All special-purpose ranges of IANA are refused, also inside IPv6. Of proxies, only socks5:// can be used with it: this process then chooses the addresses.',
  }),
  /** Exceptions to `denyPrivate`: addresses and networks such as `10.1.0.0/16,::1`. */
  allowAddress: value('exceptions to --deny-private, such as 10.1.0.0/16,::1', 'LIST', toAddresses),
};

function toAddresses(typed: string): string {
  toNetworks(typed);
  return typed;
}

function toResolver(typed: string): string {
  toServers(typed);
  return typed;
}
