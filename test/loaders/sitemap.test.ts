import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { BadInput } from '../../src/core/text/lines.ts';
import { load } from '../../src/stages/load/load.ts';
import { freshFolder, sh } from '../support/run.ts';

const HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n';
const NS = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"';

const urlset = (inside: string): string => `${HEAD}<urlset ${NS}>${inside}</urlset>`;
const indexOf = (...locs: string[]): string =>
  `${HEAD}<sitemapindex ${NS}>${locs.map((loc) => `<sitemap><loc>${loc}</loc></sitemap>`).join('\n')}</sitemapindex>`;

interface Loaded {
  readonly records: Record<string, unknown>[];
  readonly rejected: readonly string[];
  readonly messages: readonly string[];
}

/** Loads files, the first of these by its path. */
async function loaded(
  files: Record<string, string | Buffer>,
  format: 'sitemap' | undefined = 'sitemap',
): Promise<Loaded> {
  const folder = freshFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const rejected: string[] = [];
  const messages: string[] = [];
  const reject = ({ line, code, message }: BadInput): void =>
    void rejected.push(`${line}: ${code} ${message}`);
  const options = { format, reject, info: (message: string) => void messages.push(message) };
  const records: Record<string, unknown>[] = [];
  for await (const batch of load(join(folder, Object.keys(files)[0] as string), options))
    for (const { fields } of batch) {
      const { uuid: _, ...others } = fields;
      records.push(others);
    }
  return { records, rejected, messages: messages.map((message) => message.replaceAll(folder, '')) };
}

describe('--format sitemap', () => {
  test('reads the urls of a sitemap with their attributes', async () => {
    const { records, rejected } = await loaded({
      's.xml': urlset(`
        <url><loc> https://h/1?a=1&amp;b=2 </loc><lastmod>2026-01-02</lastmod></url>
        <url><changefreq>daily</changefreq><priority>0.5</priority><loc><![CDATA[https://h/2?a=1&b=2]]></loc></url>`),
    });
    expect(records).toEqual([
      { url: 'https://h/1?a=1&b=2', lastmod: '2026-01-02' },
      { url: 'https://h/2?a=1&b=2', changefreq: 'daily', priority: '0.5' },
    ]);
    expect(rejected).toEqual([]);
  });

  test('ignores elements of other namespaces, and takes any prefix for its own', async () => {
    const image = '<image:image><image:loc>https://h/i.png</image:loc></image:image>';
    const link = '<xhtml:link rel="alternate" hreflang="de" href="https://h/de"/>';
    const { records } = await loaded({
      's.xml': urlset(`<url>${image}<loc>https://h/1</loc>${link}</url>`),
    });
    expect(records).toEqual([{ url: 'https://h/1' }]);
    const prefixed = `<s:urlset xmlns:s="x"><s:url><s:loc>https://h/2</s:loc><loc>https://h/3</loc></s:url></s:urlset>`;
    expect((await loaded({ 's.xml': prefixed })).records).toEqual([{ url: 'https://h/2' }]);
  });

  test('is recognized by the first bytes, also packed and with a byte order mark', async () => {
    const text = urlset('<url><loc>https://h/1</loc></url>');
    for (const bytes of [
      text,
      gzipSync(text),
      Buffer.from(`\ufeff${text}`),
      Buffer.from(`\ufeff${text}`, 'utf16le'),
    ])
      expect((await loaded({ 's.xml': bytes }, undefined)).records).toEqual([{ url: 'https://h/1' }]);
  });

  test('reads a text sitemap', async () => {
    const { records } = await loaded({ 's.txt': '\ufeffhttps://h/1\r\n\r\nhttps://h/2\n' });
    expect(records).toEqual([{ url: 'https://h/1' }, { url: 'https://h/2' }]);
  });

  test('reads the sitemaps of an index that are in its folder, and loads the urls of others', async () => {
    const { records, messages } = await loaded({
      'index.xml': indexOf(
        'https://h/maps/a.xml.gz',
        'https://h/b.xml.gz',
        'https://h/c.xml',
        'https://h/../../etc/d',
      ),
      'a.xml.gz': gzipSync(urlset('<url><loc>https://h/a</loc></url>')),
      'b.xml': urlset('<url><loc>https://h/b</loc></url>'),
    });
    expect(records).toEqual([
      { url: 'https://h/a' },
      { url: 'https://h/b' },
      { url: 'https://h/c.xml', sitemap: true },
      { url: 'https://h/../../etc/d', sitemap: true },
    ]);
    expect(messages).toEqual([
      '/index.xml: not in its folder: 2 sitemaps, loaded by url with "sitemap": true',
    ]);
  });

  // https://github.com/ArchiveTeam/wpull/issues/484, https://github.com/Canonry/canonry/pull/358
  test('reads the other sitemaps of an index if one is broken', async () => {
    const { records, rejected } = await loaded({
      'index.xml': indexOf('https://h/a.xml.gz', 'https://h/b.xml', 'https://h/c.xml'),
      'a.xml.gz': gzipSync(urlset('<url><loc>https://h/a</loc></url>')).subarray(0, 60),
      'b.xml': '<rss></rss>',
      'c.xml': urlset('<url><loc>https://h/c</loc></url>'),
    });
    expect(records.at(-1)).toEqual({ url: 'https://h/c' });
    expect(rejected.filter((one) => /cut short|not a sitemap/.test(one))).toHaveLength(2);
  });

  // https://github.com/crawler-commons/crawler-commons/issues/143, https://github.com/webrecorder/browsertrix-crawler/pull/578
  test('reads a packed text sitemap, and one that is not packed in spite of its name', async () => {
    expect((await loaded({ 's.gz': gzipSync('https://h/1\n') })).records).toEqual([{ url: 'https://h/1' }]);
    const plain = urlset('<url><loc><![CDATA[https://h/2]]></loc></url>');
    expect((await loaded({ 's.xml.gz': plain })).records).toEqual([{ url: 'https://h/2' }]);
  });

  test('does not follow indexes that name each other forever', async () => {
    const { records } = await loaded({
      'a.xml': indexOf('https://h/b.xml', 'a.xml'),
      'b.xml': indexOf('https://h/a.xml'),
    });
    expect(records.every(({ sitemap }) => sitemap === true)).toBe(true);
    expect(records.length).toBeLessThan(20);
  });

  test('rejects an entry without a url, and broken XML, with its line', async () => {
    const { records, rejected } = await loaded({
      's.xml': urlset(
        '\n<url><lastmod>x</lastmod></url>\n<url><loc>https://h/1?a&b=1</loc></url>\n<url><loc>https://h/2',
      ),
    });
    expect(records[0]).toEqual({ url: 'https://h/1?a&b=1' });
    expect(rejected[0]).toBe('3: XML <url> has no <loc>');
    expect(rejected.join()).toMatch(/unexpected close tag/);
  });

  test('rejects urls that are not absolute, and says how & is written', async () => {
    const locs = ['/rel', 'ftp://h/x', 'https://h/ok', 'https://h/a&nbsp;b'].map(
      (loc) => `<url><loc>${loc}</loc></url>\n`,
    );
    const { records, rejected } = await loaded({ 's.xml': urlset(locs.join('')) });
    expect(records[0]).toEqual({ url: 'https://h/ok' });
    expect(rejected.toSorted()).toEqual([
      '2: XML "/rel" is not a url such as https://host/path',
      '3: XML "ftp://h/x" is not a url such as https://host/path',
      expect.stringMatching(/^5: XML undefined entity.* \(& is written &amp;\)$/),
    ]);
  });

  test('reads the encoding of the declaration', async () => {
    const text = urlset('<url><loc>https://h/ä</loc></url>').replace('UTF-8', 'ISO-8859-1');
    expect((await loaded({ 's.xml': Buffer.from(text, 'latin1') })).records).toEqual([
      { url: 'https://h/ä' },
    ]);
  });

  test('expands no entities of a document type', async () => {
    const bomb = `<!DOCTYPE urlset [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>`;
    const { records } = await loaded({
      's.xml': `${bomb}<urlset><url><loc>https://h/&b;</loc></url></urlset>`,
    });
    expect(JSON.stringify(records)).not.toContain('aaa');
  });

  test.each([
    ['<rss version="2.0"><channel/></rss>', 's.xml is XML, but not a sitemap: it begins with <rss>'],
    ['<!doctype html><html><body>no</body></html>', 's.xml is an HTML page, not sitemap'],
  ])('refuses %s', async (text, message) => {
    await expect(loaded({ 's.xml': text })).rejects.toMatchObject({
      code: 'DATA',
      message: expect.stringContaining(message),
    });
  });
});

test('an index of 50,000 urls is loaded in little memory', async () => {
  const cwd = freshFolder();
  mkdirSync(join(cwd, 'maps'));
  const names = Array.from({ length: 10 }, (_, i) => `map-${i}.xml.gz`);
  for (const [i, name] of names.entries()) {
    const urls = Array.from(
      { length: 5000 },
      (_, n) => `<url><loc>https://h/${i}/${n}/${'x'.repeat(300)}</loc></url>`,
    );
    writeFileSync(join(cwd, 'maps', name), gzipSync(urlset(urls.join('\n'))));
  }
  writeFileSync(join(cwd, 'maps', 'index.xml'), indexOf(...names.map((name) => `https://h/${name}`)));
  const run = 'task-load maps/index.xml --format sitemap | wc -l';
  const { stdout, stderr } = await sh(run, { cwd, env: { NODE_OPTIONS: '--max-old-space-size=32' } });
  expect(stdout.trim()).toBe('50000');
  expect(stderr).toBe('task-load: 50,000 tasks\n');
});
