import { lookup as systemLookup } from 'node:dns';
import { Resolver } from 'node:dns/promises';
import { isIPv6, type LookupFunction } from 'node:net';
import { systemCode } from '../../../../core/base/errors.ts';
import { candidatesOf, hasIpv6, readNameSettings } from './hosts-file.ts';

/** Lookup of names that, unlike `getaddrinfo`, does not block threads. */
export interface NameLookup {
  readonly lookup: LookupFunction;
  /** Ends lookups that are under way. */
  cancel(): void;
}

interface Address {
  readonly address: string;
  readonly family: 4 | 6;
}

interface Found {
  readonly addresses: readonly Address[];
  /** Time for which the addresses are valid, in seconds. */
  readonly ttl: number;
}

interface Entry {
  readonly found: Promise<Found>;
  /** Time at which it is looked up again, by `performance.now()`. */
  until: number;
}

/** Maximum number of names to remember. */
const MOST = 10_000;

/** Bounds of the time for which an answer is remembered, in milliseconds. */
const SHORTEST = 1000;
const LONGEST = 3_600_000;

/** Time to wait for the other kind of address after the first kind has arrived, in milliseconds (RFC 8305, 3). */
const GRACE = 50;

/** Codes by which DNS says that a name has no address. */
const ABSENT: ReadonlySet<string> = new Set(['ENOTFOUND', 'ENODATA', 'EBADNAME', 'EFORMERR']);

/**
 * Opens a lookup over c-ares. It knows the hosts file, search domains and the lifetime of answers; names without a dot
 * and of mDNS are left to the system.
 * @param servers DNS servers; default: those of the system
 */
export function openNameLookup(servers?: readonly string[]): NameLookup {
  const resolver = new Resolver({ timeout: 3000, tries: 4 });
  if (servers !== undefined) resolver.setServers(servers);
  const settings = readNameSettings();
  const isIpv6First = hasIpv6();
  const known = new Map<string, Entry>();

  const query = async (name: string): Promise<Found> => {
    const v4 = resolver.resolve4(name, { ttl: true });
    const v6 = isIpv6First
      ? resolver.resolve6(name, { ttl: true })
      : v4.catch(ifAbsent(() => resolver.resolve6(name, { ttl: true })));
    const both = [v4, v6].map((asked) => asked.then((all) => all.map(addressOf)));
    await firstWithGrace(both);
    return merged(await Promise.all(both.map(settledNow)), isIpv6First);
  };
  const resolve = async (name: string): Promise<Found> => {
    let last: unknown;
    for (const candidate of candidatesOf(name, settings)) {
      try {
        return await query(candidate);
      } catch (error) {
        last = error;
        if (!ABSENT.has(systemCode(error) ?? '')) throw error;
      }
    }
    throw last;
  };
  const remembered = (name: string): Promise<Found> => {
    const entry = known.get(name);
    if (entry !== undefined && performance.now() < entry.until) return entry.found;
    const fresh: Entry = { found: resolve(name), until: Number.POSITIVE_INFINITY };
    known.delete(name);
    known.set(name, fresh);
    for (const oldest of known.keys()) if (known.size > MOST) known.delete(oldest);
    fresh.found.then(
      ({ ttl }) => {
        fresh.until = performance.now() + Math.min(LONGEST, Math.max(SHORTEST, ttl * 1000));
      },
      () => void known.delete(name),
    );
    return fresh.found;
  };

  const lookup: LookupFunction = (hostname, options, done) => {
    const name = hostname.toLowerCase();
    const listed = localAddresses(name) ?? settings.hosts.get(name)?.map(toAddress);
    if (listed !== undefined) return answer(listed, options, done);
    if (!name.includes('.') || /\.local\.?$/.test(name))
      return systemLookup(hostname, { ...options, all: true } as never, then);
    remembered(name).then(
      ({ addresses }) => answer(addresses, options, done),
      (error) => {
        // No DNS server is configured: the system may resolve names in another way.
        if (servers === undefined && systemCode(error) === 'ECONNREFUSED')
          return systemLookup(hostname, { ...options, all: true }, then);
        return done(nameError(error, hostname), []);
      },
    );

    function then(error: NodeJS.ErrnoException | null, found: unknown): void {
      if (error !== null) done(error, []);
      else answer(found as Address[], options, done);
    }
  };
  return { lookup, cancel: () => resolver.cancel() };
}

type Options = Parameters<LookupFunction>[1];
type Done = Parameters<LookupFunction>[2];

/** Calls back with the addresses of the wanted family, outside of the promise that returned them. */
function answer(addresses: readonly Address[], { all, family }: Options, done: Done): void {
  const wanted = family === 4 || family === 'IPv4' ? 4 : family === 6 || family === 'IPv6' ? 6 : 0;
  const fitting = addresses.filter((one) => wanted === 0 || one.family === wanted);
  const [first] = fitting;
  queueMicrotask(() => {
    if (first === undefined) done(Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), []);
    else if (all === true) done(null, [...fitting]);
    else done(null, first.address, first.family);
  });
}

/** Returns a handler that runs a function if an error says that there is no address, and throws other errors. */
function ifAbsent<T>(run: () => T): (error: unknown) => T {
  return (error) => {
    if (ABSENT.has(systemCode(error) ?? '')) return run();
    throw error;
  };
}

/** Waits for the first list of addresses, and a short time for the other. Rejects if there is none. */
async function firstWithGrace(asked: readonly Promise<readonly unknown[]>[]): Promise<void> {
  const all = Promise.allSettled(asked);
  await Promise.any(asked).catch(({ errors }: AggregateError) => {
    // The answer that there is no address takes precedence over a server that did not answer.
    throw errors.find((error) => !ABSENT.has(systemCode(error) ?? '')) ?? errors[0];
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, GRACE);
  });
  await Promise.race([all, late]);
  clearTimeout(timer);
}

type Timed = Address & { readonly ttl: number };

/** Returns the value of a promise that has resolved; undefined if it is pending or rejected. */
async function settledNow(asked: Promise<readonly Timed[]>): Promise<readonly Timed[]> {
  const none: readonly Timed[] = [];
  return Promise.race([
    asked.catch(() => none),
    new Promise<readonly Timed[]>((resolve) => setImmediate(resolve, none)),
  ]);
}

function merged([v4 = [], v6 = []]: readonly (readonly Timed[])[], isIpv6First: boolean): Found {
  const distinct = v6 === v4 || v6[0]?.family === 4 ? [] : v6;
  const all = isIpv6First ? [...distinct, ...v4] : [...v4, ...distinct];
  return { addresses: all, ttl: Math.min(...all.map(({ ttl }) => ttl)) };
}

function addressOf({ address, ttl }: { readonly address: string; readonly ttl: number }): Timed {
  return { ...toAddress(address), ttl };
}

function toAddress(address: string): Address {
  return { address, family: isIPv6(address) ? 6 : 4 };
}

/** Returns the addresses of this machine for `localhost` and its subdomains (RFC 6761, 6.3). */
function localAddresses(name: string): readonly Address[] | undefined {
  if (!/(^|\.)localhost\.?$/.test(name)) return undefined;
  return [
    { address: '127.0.0.1', family: 4 },
    { address: '::1', family: 6 },
  ];
}

/** Returns an error with the codes of `getaddrinfo`: the codes of c-ares look like errors of the connection. */
function nameError(error: unknown, hostname: string): NodeJS.ErrnoException {
  const code = ABSENT.has(systemCode(error) ?? '') ? 'ENOTFOUND' : 'EAI_AGAIN';
  return Object.assign(new Error(`cannot resolve ${hostname}`, { cause: error }), { code });
}
