import { SaxesParser } from 'saxes';

/** Entry of a sitemap, or of an index of sitemaps. */
export interface SitemapEntry {
  /** Line where it ends. */
  readonly line: number;
  /** Members of the record: url, and lastmod, changefreq and priority if it has them. */
  readonly fields: Readonly<Record<string, string>>;
  /** True if it is a sitemap of an index. */
  readonly isSitemap: boolean;
}

/** Violation of the format. */
export interface SitemapFault {
  readonly line: number;
  readonly message: string;
}

/** Members of an entry, by the names of their elements. */
const MEMBERS: ReadonlyMap<string, string> = new Map([
  ['loc', 'url'],
  ['lastmod', 'lastmod'],
  ['changefreq', 'changefreq'],
  ['priority', 'priority'],
]);

/** Roots, with the element of their entries. */
const ROOTS: ReadonlyMap<string, string> = new Map([
  ['urlset', 'url'],
  ['sitemapindex', 'sitemap'],
]);

/** Parser of sitemaps (sitemaps.org, 0.9). Elements of other namespaces are ignored. Memory holds one entry. */
export class SitemapParser {
  readonly #parser = new SaxesParser({ fragment: false });
  readonly #maxText: number;
  /** Names of the open elements. */
  #path: string[] = [];
  #prefix = '';
  #fields: Record<string, string> = {};
  #text = '';
  #isTooLong = false;
  /** End of the text that is not parsed yet. */
  #held = '';
  #entries: SitemapEntry[] = [];
  #faults: SitemapFault[] = [];
  /** Root element, once it is known. */
  root: string | undefined;

  /** @param maxText longest text of an element, in characters */
  constructor(maxText: number) {
    this.#maxText = maxText;
    this.#parser.on('opentag', ({ name }) => this.#open(name));
    this.#parser.on('closetag', () => this.#close());
    const onText = (text: string): void => this.#add(text);
    this.#parser.on('text', onText);
    // CDATA has no escapes, so the escapes added by `#repaired` are undone.
    this.#parser.on('cdata', (text) => onText(text.replaceAll('&amp;', '&')));
    this.#parser.on('error', ({ message }) => this.#fault(message.replace(/^\d+:\d+:\s*/, '')));
  }

  /** Number of the current line, from 1. */
  get line(): number {
    return this.#parser.line;
  }

  /** Parses the next piece of text. Returns what it completes. */
  write(text: string): { readonly entries: SitemapEntry[]; readonly faults: SitemapFault[] } {
    this.#parser.write(this.#repaired(text));
    return this.#taken();
  }

  /** Ends the text. Returns the faults of its end. */
  end(): readonly SitemapFault[] {
    this.#parser.write(this.#held);
    this.#parser.close();
    return this.#taken().faults;
  }

  /** Escapes each `&` that does not begin a reference. saxes would skip everything up to the next semicolon. */
  #repaired(text: string): string {
    const whole = this.#held + text;
    const [cut] = /&[\w#]{0,9}$/.exec(whole) ?? []; // the start of a reference that the next piece may complete
    this.#held = cut ?? '';
    const kept = cut === undefined ? whole : whole.slice(0, -cut.length);
    return kept.replace(/&(?!(?:[a-z]\w*|#\d+|#x[\da-f]+);)/gi, '&amp;');
  }

  #taken(): { entries: SitemapEntry[]; faults: SitemapFault[] } {
    const taken = { entries: this.#entries, faults: this.#faults };
    this.#entries = [];
    this.#faults = [];
    return taken;
  }

  #open(name: string): void {
    if (this.root === undefined) {
      this.#prefix = name.includes(':') ? name.replace(/:.*/, ':') : '';
      this.root = name.slice(this.#prefix.length);
    }
    const isOwn = name.startsWith(this.#prefix) && !name.slice(this.#prefix.length).includes(':');
    this.#path.push(isOwn ? name.slice(this.#prefix.length) : '');
    this.#text = '';
    this.#isTooLong = false;
    if (this.#isEntry(2)) this.#fields = {};
  }

  #close(): void {
    const name = this.#path.at(-1) ?? '';
    const member = this.#path.length === 3 && this.#isEntry(3) ? MEMBERS.get(name) : undefined;
    const text = this.#text.trim();
    if (member !== undefined && this.#isTooLong) this.#fault(`<${name}> is longer than --max-line`);
    else if (member !== undefined && text !== '') this.#fields[member] ??= text;
    if (this.#isEntry(2)) this.#end(name);
    this.#path.pop();
    this.#text = '';
  }

  #end(name: string): void {
    const { url, ...others } = this.#fields;
    if (url === undefined) this.#fault(`<${name}> has no <loc>`);
    else this.#entries.push({ line: this.line, fields: { url, ...others }, isSitemap: name === 'sitemap' });
  }

  /** Returns whether the open elements are an entry and, at depth 3, an element in it. */
  #isEntry(depth: number): boolean {
    const [root = '', entry = ''] = this.#path;
    return this.#path.length === depth && entry !== '' && ROOTS.get(root) === entry;
  }

  #add(text: string): void {
    if (this.#path.length !== 3 || this.#isTooLong) return;
    this.#text += text;
    if (this.#text.length <= this.#maxText) return;
    this.#text = '';
    this.#isTooLong = true;
  }

  #fault(message: string): void {
    const advice = /^undefined entity/.test(message) ? ' (& is written &amp;)' : '';
    this.#faults.push({ line: this.line, message: message.replace(/\.$/, '') + advice });
  }
}

/** Returns whether an element is the root of a sitemap. */
export function isSitemapRoot(name: string): boolean {
  return ROOTS.has(name);
}
