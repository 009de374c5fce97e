import { flag, text, values } from '../../../../core/options/declare.ts';
import type { LibraryOptions } from '../../../../core/options/library-options.ts';
import { CONCEALED } from '../../../../core/options/secrets.ts';
import { toRedirection, toResolution } from './detours.ts';

/** Options of the way from this process to the servers. */
export const routeOptions = {
  /**
   * Url of a proxy for all requests (`http://`, `https://`, `socks5://` or `socks5h://`), or `@FILE` with one per
   * line.
   */
  proxy: text('HTTP or SOCKS5 proxy for all requests; default: http_proxy and related variables', {
    placeholder: 'URL|@FILE',
    redact: (typed) => typed.replace(/^([a-z][a-z\d+.-]*:\/\/)?(?!@)[^/]*@/i, `$1${CONCEALED}@`),
    details:
      'https urls go through a tunnel (CONNECT), as all do through SOCKS5. With socks5h:// the proxy looks up the names of hosts, with socks5:// this process does. no_proxy does not apply to this option. @FILE is a file with a proxy on each line, which are used in turn: one that cannot be used rests, and others take over its requests. Write user and password into a file, not on the command line, which other users of the machine can see.',
  }),
  /** Places to connect to instead of others, each `HOST1:PORT1:HOST2:PORT2`. */
  connectTo: values(
    'connect to HOST2:PORT2 for urls of HOST1:PORT1; may be repeated',
    'HOST1:PORT1:HOST2:PORT2',
    checking(toRedirection),
    {
      details:
        'As in curl: an empty HOST1 or PORT1 matches all, an empty HOST2 or PORT2 changes nothing. The Host header and the certificate that TLS expects stay those of the url. Through a proxy, the tunnel leads to HOST2:PORT2.',
    },
  ),
  /** Addresses of hosts, each `HOST:PORT:ADDR[,ADDR]`. */
  resolve: values(
    'use these addresses for HOST:PORT; may be repeated',
    'HOST:PORT:ADDR[,ADDR]',
    checking(toResolution),
    {
      details:
        'As in curl: the host * matches all. Several addresses are tried in order. It applies to connections that this process makes, after --connect-to, thus not to names that a proxy looks up.',
    },
  ),
  /** Local address, or name of an interface, that connections are made from. */
  interface: text('make connections from this local address or interface, such as 10.0.0.7 or eth1', {
    placeholder: 'ADDR|NAME',
    details:
      'The name of an interface stands for its first address, of IPv4 if it has one. Names of hosts are then looked up for that family only. The system still chooses the interface by its routes.',
  }),
  /** True to use HTTP/2 with servers that offer it. */
  http2: flag('use HTTP/2 with https servers that offer it', {
    details:
      'Requests then share a connection, as many at once as the server allows. Servers without HTTP/2 get HTTP/1.1, as do all http urls.',
  }),
};

/** Returns a parser that keeps a value as it was typed, and throws if another parser does. */
function checking(parse: (typed: string) => unknown): (typed: string) => string {
  return (typed) => {
    parse(typed);
    return typed;
  };
}

/** Values of the options. */
export type RouteOptions = LibraryOptions<typeof routeOptions>;
