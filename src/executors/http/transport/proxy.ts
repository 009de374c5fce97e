import { readFileSync, statSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { ioError, TaskpipeError } from '../../../core/base/errors.ts';
import { quoted } from '../../../core/base/terminal-text.ts';
import { privacyFault } from '../../../core/storage/file-privacy.ts';
import { shownUrl } from '../request/target.ts';
import { addIfNetwork } from './names/addresses.ts';
import { isSocks, socksProblem } from './routes/socks.ts';

export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/** Proxies to use, and exceptions. */
export interface ProxySettings {
  readonly http: URL | undefined;
  readonly https: URL | undefined;
  /** Proxies that are used in turn for all requests, if there are several. */
  readonly list?: readonly URL[];
  /** Origin of the setting, such as `--proxy`. */
  readonly from: string;
  /** True if this process looks up all addresses, and so can check them: all proxies are `socks5://`. */
  readonly looksUpHere: boolean;
  /** Returns whether a host, as written in a url, is connected to directly. */
  isDirect(hostname: string, port: number): boolean;
}

/**
 * Returns the proxies of `--proxy`, a url or `@FILE`, which apply to all urls, or else of the usual variables: `http_proxy`,
 * `https_proxy`, `all_proxy` and `no_proxy`, in lower or upper case.
 * @param warn receives a message about a file with passwords that others can read
 * @throws {TaskpipeError} `USAGE` if a proxy cannot be used, `IO` if a file cannot be read
 */
export function proxySettings(
  proxy: string | undefined,
  env: ProxyEnvironment,
  warn: (message: string) => void = () => {},
): ProxySettings | undefined {
  if (proxy !== undefined) {
    const file = proxy.startsWith('@') ? proxy.slice(1) : undefined;
    const list = (file === undefined ? [proxy] : linesOf(file)).map((one) => proxyUrl(one, '--proxy'));
    if (file !== undefined && list.some(({ password }) => password !== '')) {
      const fault = privacyFault('--proxy', file, statSync(file));
      if (fault !== undefined) warn(fault);
    }
    const [url] = list;
    const looksUpHere = list.every(isLocalLookup);
    const given = { http: url, https: url, looksUpHere, isDirect: () => false };
    return list.length > 1 ? { ...given, list, from: String(file) } : { ...given, from: '--proxy' };
  }
  const from = (name: string): [value: string, name: string] | undefined => {
    const found = [name, name.toUpperCase()].find((one) => (env[one] ?? '') !== '');
    return found === undefined ? undefined : [env[found] as string, found];
  };
  const all = from('all_proxy');
  const plain = from('http_proxy') ?? all;
  const secure = from('https_proxy') ?? all;
  const [, name] = plain ?? secure ?? [];
  const exceptions = from('no_proxy')?.[0] ?? '';
  if (name === undefined || exceptions.trim() === '*') return undefined;
  const http = plain && proxyUrl(...plain);
  const https = secure && proxyUrl(...secure);
  return {
    ...{ http, https, from: name },
    looksUpHere: [http, https].every((one) => one === undefined || isLocalLookup(one)),
    isDirect: compileNoProxy(exceptions),
  };
}

/** Parses the url of a proxy; without a scheme it is `http://`. @throws {TaskpipeError} `USAGE` */
export function proxyUrl(text: string, from: string): URL {
  let url: URL | undefined;
  try {
    url = new URL(/^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`);
  } catch {
    // reported below
  }
  const problem = url === undefined ? 'it is not a url' : problemOf(url);
  if (url !== undefined && problem === undefined) return url;
  const rule = 'must be the url of a proxy with http://, https://, socks5:// or socks5h://';
  throw new TaskpipeError('USAGE', `${from} ${rule}; got ${shownUrl(text)}: ${problem}`);
}

/** Reads the lines of a file of proxies; skips blank lines and comments (#). */
function linesOf(file: string): string[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw ioError('cannot read --proxy', file, error);
  }
  const lines = text.split(/\r?\n/).map((line) => line.trim());
  const proxies = lines.filter((line) => line !== '' && !line.startsWith('#'));
  if (proxies.length === 0)
    throw new TaskpipeError('USAGE', `--proxy ${quoted(file)} has no proxies, one a line`);
  return proxies;
}

/** Returns whether this process looks up the names of hosts behind a proxy. */
function isLocalLookup({ protocol }: URL): boolean {
  return protocol === 'socks5:';
}

/** Returns the fault of the url of a proxy; undefined if it is valid. */
function problemOf(url: URL): string | undefined {
  if (isSocks(url)) return socksProblem(url);
  if (url.protocol === 'http:' || url.protocol === 'https:') return undefined;
  return url.protocol.startsWith('socks') ? 'only version 5 of SOCKS is supported' : 'unknown protocol';
}

/**
 * Parses `no_proxy`: hosts with their subdomains (a leading dot or `*.` makes no difference), addresses, and
 * networks such as `10.0.0.0/8`, each with or without a port; `*` means all.
 */
export function compileNoProxy(list: string): (hostname: string, port: number) => boolean {
  const entries = list
    .toLowerCase()
    .split(/[\s,]+/)
    .filter((entry) => entry !== '');
  if (entries.includes('*')) return () => true;
  const networks = new BlockList();
  const hosts: { host: string; port: number | undefined }[] = [];
  for (const entry of entries) {
    // An IPv6 address has many spellings: the list compares its value.
    const address = entry.replace(/^\[(.*)\]$/, '$1');
    if (addIfNetwork(networks, isIP(address) === 6 ? `${address}/128` : entry)) continue;
    const [, host = entry, port] = /^(.+):(\d+)$/.exec(entry) ?? [];
    hosts.push({
      host: bare(host.replace(/^\*?\./, '')),
      port: port === undefined ? undefined : Number(port),
    });
  }
  return (hostname, port) => {
    const name = bare(hostname);
    const family = isIP(name);
    if (family !== 0 && networks.check(name, family === 4 ? 'ipv4' : 'ipv6')) return true;
    return hosts.some((entry) => {
      if (entry.port !== undefined && entry.port !== port) return false;
      return name === entry.host || (family === 0 && name.endsWith(`.${entry.host}`));
    });
  };
}

/** Returns a host without the brackets of IPv6 and without a trailing dot. */
function bare(host: string): string {
  return host.replace(/^\[|\]$|\.$/g, '').toLowerCase();
}
