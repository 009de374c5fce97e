import { access } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { TaskpipeError } from '../../core/base/errors.ts';
import { counted } from '../../core/base/format.ts';
import { quoted } from '../../core/base/terminal-text.ts';
import { decodeStart, decodeText, isEncoding } from '../../core/text/encoding.ts';
import { lineFault } from '../../core/text/lines.ts';
import type { Loaded, Loader, ReadOptions } from '../contract.ts';
import { JsonLoaded } from '../json/json-records.ts';
import { openSource, peek } from '../source/sources.ts';
import { isSitemapRoot, type SitemapEntry, type SitemapFault, SitemapParser } from './sitemap-parser.ts';

/** Maximum nesting of indexes. The format allows only one level. */
const MOST_LEVELS = 3;

/** Number of faults in a file after which the rest of it is skipped. */
const MOST_FAULTS = 100;

/** Number of bytes that is enough to distinguish XML from text, and to read its declaration. */
const TELLING = 256;

/**
 * Reads sitemaps: XML, an index of sitemaps, or text with one url a line. A sitemap in an index is read if the folder
 * of the index has a file with its name, packed or not; otherwise its url becomes a record with `"sitemap": true`.
 */
export const sitemap: Loader = async function* (bytes, options) {
  const missing = { count: 0 };
  yield* recordsOf(bytes, options, missing, 1);
  if (missing.count > 0)
    options.info(
      `${options.source}: not in its folder: ${counted(missing.count, 'sitemap')}, loaded by url with "sitemap": true`,
    );
};

async function* recordsOf(
  bytes: AsyncIterable<Buffer>,
  options: ReadOptions,
  missing: { count: number },
  level: number,
): AsyncGenerator<readonly Loaded[]> {
  const { first, all } = await peek(bytes, (start) => start.length >= TELLING);
  const start = decodeStart(first).trimStart();
  if (!start.startsWith('<')) {
    const { lines } = await import('../lines-loader.ts');
    yield* lines(all, { ...options, field: 'url' }) as AsyncIterable<readonly Loaded[]>;
    return;
  }
  for await (const entries of entriesOf(all, options, declaredIn(start) ?? options.encoding)) {
    const pages: Loaded[] = [];
    for (const entry of entries) {
      const file = entry.isSitemap ? await fileOf(entry, options, level) : undefined;
      if (file === undefined) {
        if (entry.isSitemap) missing.count++;
        pages.push(recordOf(entry, options));
        continue;
      }
      if (pages.length > 0) yield pages.splice(0);
      try {
        yield* recordsOf(openSource(file, noStdin), { ...options, source: file }, missing, level + 1);
      } catch (error) {
        // One bad sitemap does not keep the others from being read.
        if (!(error instanceof TaskpipeError) || error.code !== 'DATA') throw error;
        options.reject({
          source: options.source,
          line: entry.line,
          code: 'XML',
          message: error.message,
          text: '',
        });
      }
    }
    yield pages;
  }
}

/** Returns the encoding of an XML declaration, if it is not UTF-8. */
function declaredIn(start: string): string | undefined {
  const [, name = 'utf-8'] = /^<\?xml\s[^>]*?encoding\s*=\s*["']([\w.-]+)/.exec(start) ?? [];
  return /^utf-?(?:8|16)$/i.test(name) || !isEncoding(name) ? undefined : name;
}

/** Yields the entries of XML. @throws {TaskpipeError} `DATA` if it is not a sitemap */
async function* entriesOf(
  bytes: AsyncIterable<Buffer>,
  options: ReadOptions,
  encoding: string | undefined,
): AsyncGenerator<readonly SitemapEntry[]> {
  const parser = new SitemapParser(options.maxLine);
  let faults = 0;
  const tell = (found: readonly SitemapFault[]): void => {
    for (const { line, message } of found)
      if (++faults <= MOST_FAULTS)
        options.reject({ source: options.source, line, code: 'XML', message, text: '' });
  };
  for await (const text of decodeText(bytes, encoding)) {
    const { entries, faults: found } = parser.write(text);
    if (parser.root !== undefined && !isSitemapRoot(parser.root))
      throw new TaskpipeError(
        'DATA',
        `${options.source} is XML, but not a sitemap: it begins with <${parser.root}>, not <urlset> or <sitemapindex>`,
      );
    tell(found);
    yield entries.filter((entry) => isGood(entry, options));
    if (faults > MOST_FAULTS) return;
  }
  tell(parser.end());
}

/** Start of a valid url in a sitemap. Relative urls, and urls with other schemes, cannot be fetched. */
const ABSOLUTE = /^https?:\/\/[^/]/i;

/** Rejects an entry whose url or text is not valid. */
function isGood({ fields, line }: SitemapEntry, { source, reject, maxLine }: ReadOptions): boolean {
  const { url = '' } = fields;
  const text = JSON.stringify(fields);
  const fault = ABSOLUTE.test(url)
    ? lineFault(text, maxLine)
    : { code: 'XML' as const, message: `${quoted(url)} is not a url such as https://host/path`, text };
  if (fault !== undefined) reject({ source, line, ...fault });
  return fault === undefined;
}

function recordOf({ fields, isSitemap, line }: SitemapEntry, options: ReadOptions): Loaded {
  const record = isSitemap ? { ...fields, sitemap: true } : fields;
  return new JsonLoaded({ text: JSON.stringify(record), fields: record, line }, options);
}

/** Returns the file of a sitemap in the folder of its index; undefined if there is none. */
async function fileOf(
  { fields }: SitemapEntry,
  { source }: ReadOptions,
  level: number,
): Promise<string | undefined> {
  if (source === 'stdin' || level >= MOST_LEVELS) return undefined;
  const url = fields.url as string;
  const path = URL.canParse(url) ? new URL(url).pathname : url;
  const name = basename(decoded(path));
  if (name === '' || name === '..' || name === basename(source)) return undefined;
  const file = join(dirname(source), name);
  for (const one of [file, file.replace(/\.gz$/, '')]) {
    if (
      one !== source &&
      (await access(one).then(
        () => true,
        () => false,
      ))
    )
      return one;
  }
  return undefined;
}

function decoded(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}

const noStdin = (): never => {
  throw new Error('a sitemap of an index is a file');
};
