import { quote } from '../../request/print-curl.ts';
import { proxyUrl } from '../proxy.ts';
import { proxyHost } from '../tunnel.ts';
import type { RouteOptions } from './route-options.ts';

/**
 * Returns the options of curl for the way to the server, quoted for a shell. User and password of a proxy become the
 * variable `PROXY_USER`; a proxy from a file becomes the variable `PROXY`.
 */
export function routeWords(options: RouteOptions): string[] {
  const { proxy, connectTo = [], resolve = [], interface: own } = options;
  const words: string[] = [];
  if (proxy?.startsWith('@')) words.push('--proxy', '"$PROXY"');
  else if (proxy !== undefined) {
    const url = proxyUrl(proxy, '--proxy');
    words.push('--proxy', quote(`${url.protocol}//${proxyHost(url)}`));
    if (url.username !== '' || url.password !== '') words.push('--proxy-user', '"$PROXY_USER"');
  }
  for (const rule of connectTo) words.push('--connect-to', quote(rule));
  for (const rule of resolve) words.push('--resolve', quote(rule));
  if (own !== undefined) words.push('--interface', quote(own));
  if (options.http2) words.push('--http2');
  return words;
}
