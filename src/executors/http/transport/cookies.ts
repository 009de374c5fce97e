import { readFile, stat } from 'node:fs/promises';
import { Cookie, CookieJar, MemoryCookieStore } from 'tough-cookie';
import { ioError, systemCode } from '../../../core/base/errors.ts';
import { resolved } from '../../../core/storage/durable.ts';
import { mustBeWritable, PRIVATE, replaceFile } from '../private-files.ts';

/** Cookies of `--cookies FILE`. */
export interface Cookies {
  /** Returns the `Cookie` header for a url; `''` if it has none. */
  of(url: string): string;
  /** Stores the cookies of a response. Cookies that the host may not set are ignored. */
  take(url: string, set: string | string[] | undefined): void;
  /** Writes the file. @throws {TaskpipeError} `IO` */
  save(): Promise<void>;
}

const HTTP_ONLY = '#HttpOnly_';

/**
 * Reads a cookie file in Netscape format, as curl's `-b` and `-c` do. A missing file is empty. A pipe, or a device such as
 * /dev/null, is read and not written.
 * @param info called with messages for people
 * @throws {TaskpipeError} `IO`
 */
export async function openCookies(file: string, info: (message: string) => void): Promise<Cookies> {
  const stats = await stat(file).catch(() => undefined); // it may not exist yet
  if (stats?.isFIFO()) info(`--cookies ${file} is a pipe: cookies that servers set are not stored`);
  const isStored = stats === undefined || stats.isFile();
  const place = resolved(file);
  if (isStored) await mustBeWritable('--cookies', place);
  const store = new MemoryCookieStore();
  // Some servers set cookies without a name. localhost is treated like any other host.
  const jar = new CookieJar(store, {
    looseMode: true,
    allowSpecialUseDomain: true,
    allowSecureOnLocal: false,
  });
  for (const line of (await read(file)).split(/\r?\n/)) {
    const cookie = fromLine(line);
    if (cookie !== undefined) await store.putCookie(cookie);
  }
  return {
    of: (url) => jar.getCookieStringSync(url),
    take(url, set) {
      for (const text of [set ?? []].flat()) jar.setCookieSync(text, url, { ignoreError: true });
    },
    async save() {
      if (!isStored) return;
      const cookies = await store.getAllCookies();
      const now = Date.now();
      const lines = cookies.filter((cookie) => cookie.TTL(now) > 0).map(toLine);
      const text = `# Netscape HTTP Cookie File\n\n${lines.join('')}`;
      await replaceFile(place, text, { mode: PRIVATE, lasting: true });
    },
  };
}

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw ioError('cannot read --cookies', file, error);
  }
}

/**
 * Parses `domain, with subdomains, path, secure, expires (seconds, 0 for a session), name, value`, separated by
 * tabs.
 */
function fromLine(line: string): Cookie | undefined {
  const httpOnly = line.startsWith(HTTP_ONLY);
  if (line.startsWith('#') && !httpOnly) return undefined;
  const cells = (httpOnly ? line.slice(HTTP_ONLY.length) : line).split('\t');
  const [domain = '', subdomains, path = '/', secure, expires = '0', name = '', value = ''] = cells;
  if (cells.length < 6 || domain === '') return undefined;
  const until = Number(expires);
  return new Cookie({
    key: name,
    value,
    domain: domain.replace(/^\./, '').toLowerCase(),
    hostOnly: subdomains?.toUpperCase() !== 'TRUE',
    path,
    pathIsDefault: false,
    secure: secure?.toUpperCase() === 'TRUE',
    httpOnly,
    expires: until > 0 ? new Date(until * 1000) : 'Infinity',
    creation: new Date(),
    lastAccessed: new Date(),
  });
}

function toLine(cookie: Cookie): string {
  const { key, value, domain, hostOnly, path, secure, httpOnly } = cookie;
  const expires = cookie.expiryTime();
  const until = expires === undefined || !Number.isFinite(expires) ? 0 : Math.ceil(expires / 1000);
  const cells = [
    `${httpOnly ? HTTP_ONLY : ''}${hostOnly === true ? '' : '.'}${domain ?? ''}`,
    hostOnly === true ? 'FALSE' : 'TRUE',
    path ?? '/',
    secure ? 'TRUE' : 'FALSE',
    String(until),
    key,
    value,
  ];
  return `${cells.join('\t')}\n`;
}
