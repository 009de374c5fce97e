import type { Answer } from '../transport/answer.ts';
import { textOf } from './charset.ts';
import { contentTypeOf } from './content-type.ts';

/** Bytes of a page in which a refresh is searched: it may come after long scripts. */
const SEARCHED = 262_144;

/** Longest delay of a refresh that is a redirect, in seconds. Others reload a page that changes. */
const MOST_DELAY = 30;

/** Tags with their attributes. The bound keeps the search in a page of many open quotes short. */
const META = /<meta\b(?:[^>"']|"[^"]*"|'[^']*'){0,1000}>/gi;
const BASE = /<base\b(?:[^>"']|"[^"]*"|'[^']*'){0,1000}>/i;

/** Parts of a page that hold no elements, or elements for browsers without scripts. */
const IGNORED = /<!--[\s\S]*?(?:-->|$)|<(script|noscript|style|template|textarea)\b[\s\S]*?(?:<\/\1\s*>|$)/gi;

/**
 * Returns the url that `<meta http-equiv="refresh" content="0; url=…">` of an HTML page leads to; undefined if there is
 * none, or the page only reloads itself.
 * @param url url of the page
 */
export function metaRefresh(answer: Answer, url: string): string | undefined {
  const { status, headers, body } = answer;
  if (status < 200 || status > 299 || body.length === 0) return undefined;
  const type = contentTypeOf(headers);
  if (type.sniff !== 'html') return undefined;
  const page = textOf(body.subarray(0, SEARCHED), type).replace(IGNORED, ' ');
  for (const [tag] of page.matchAll(META)) {
    if (attributeOf(tag, 'http-equiv')?.trim().toLowerCase() !== 'refresh') continue;
    const place = placeOf(attributeOf(tag, 'content') ?? '');
    const target = place === undefined ? undefined : resolved(place, baseOf(page, url));
    return target === undefined || withoutFragment(target) === withoutFragment(url) ? undefined : target;
  }
  return undefined;
}

/** Returns the url of `5; url='x'` (HTML Standard, 4.2.5.3); undefined if it has none or waits too long. */
function placeOf(content: string): string | undefined {
  const [, delay, rest = ''] = /^\s*(\d+|(?=\.\d))[\d.]*(?:\s*[;,]\s*|\s+)(.*)$/s.exec(content) ?? [];
  if (delay === undefined || Number(delay) > MOST_DELAY) return undefined;
  const place = rest.replace(/^url\s*=\s*/i, '').trim();
  const [, double, single] = /^"([^"]*)|^'([^']*)/.exec(place) ?? [];
  const found = (double ?? single ?? place).trim();
  return found === '' ? undefined : found;
}

/** Returns an attribute of a tag, with the characters that stand for others replaced. */
function attributeOf(tag: string, name: string): string | undefined {
  const pattern = new RegExp(`[\\s"'/]${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s>]+))`, 'i');
  const [, double, single, bare] = pattern.exec(tag) ?? [];
  return (double ?? single ?? bare)?.replace(/&(?:amp|quot|apos|#0*39|#x0*27);?/gi, (entity) => {
    if (/amp/i.test(entity)) return '&';
    return /quot/i.test(entity) ? '"' : "'";
  });
}

function baseOf(page: string, url: string): string {
  const [tag] = BASE.exec(page) ?? [];
  return (tag === undefined ? undefined : resolved(attributeOf(tag, 'href') ?? '', url)) ?? url;
}

function resolved(place: string, base: string): string | undefined {
  return URL.canParse(place, base) ? new URL(place, base).href : undefined;
}

function withoutFragment(url: string): string {
  return url.replace(/#.*$/s, '');
}
