import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

/** Settings of the system for names. */
export interface NameSettings {
  /** Addresses by name, in lower case, of the hosts file. */
  readonly hosts: ReadonlyMap<string, readonly string[]>;
  /** Domains to complete names with. */
  readonly search: readonly string[];
  /** Number of dots from which a name is first tried as it is. */
  readonly ndots: number;
}

/** Reads `/etc/hosts` and `/etc/resolv.conf`. A file that cannot be read counts as empty. */
export function readNameSettings(): NameSettings {
  const hosts = new Map<string, string[]>();
  for (const [address = '', ...names] of linesOf('/etc/hosts')) {
    if (isIP(address) === 0) continue;
    for (const name of names.map((one) => one.toLowerCase())) {
      const known = hosts.get(name);
      if (known === undefined) hosts.set(name, [address]);
      else known.push(address);
    }
  }
  let search: string[] = [];
  let ndots = 1;
  for (const [key, ...values] of linesOf('/etc/resolv.conf')) {
    if (key === 'search' || key === 'domain') search = values.filter((value) => value !== '.');
    const [, dots] = key === 'options' ? (/(?:^| )ndots:(\d+)/.exec(values.join(' ')) ?? []) : [];
    if (dots !== undefined) ndots = Math.min(15, Number(dots));
  }
  return { hosts, search, ndots };
}

/** Returns the names to look up for a name, in order, as the resolver of the system would. */
export function candidatesOf(name: string, { search, ndots }: NameSettings): string[] {
  if (name.endsWith('.')) return [name.slice(0, -1)];
  const completed = search.map((domain) => `${name}.${domain.replace(/\.$/, '')}`);
  return name.split('.').length - 1 >= ndots ? [name, ...completed] : [...completed, name];
}

/** Returns whether this machine has an address of IPv6 that reaches others. */
export function hasIpv6(): boolean {
  return Object.values(networkInterfaces()).some((addresses) =>
    addresses?.some(
      ({ family, internal, address }) => family === 'IPv6' && !internal && !/^fe[89ab]/i.test(address),
    ),
  );
}

function linesOf(file: string): string[][] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').map((line) =>
    line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/),
  );
}
