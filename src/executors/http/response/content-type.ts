import type { AnswerHeaders } from '../transport/answer.ts';

/** Parsed content type. */
export interface ContentType {
  /** JSON text: the value of the header, or `null` if there is none. */
  readonly quoted: string;
  /** Type and subtype in lower case, such as `text/html`; `''` if there is none. */
  readonly essence: string;
  /** Kind of body that it announces; `none` without a content type. */
  readonly media: 'json' | 'text' | 'binary' | 'none';
  /** Declared charset, in lower case. */
  readonly charset: string | undefined;
  /** Present if the body may declare its charset itself. */
  readonly sniff: 'html' | 'xml' | undefined;
}

const NONE: ContentType = {
  quoted: 'null',
  essence: '',
  media: 'none',
  charset: undefined,
  sniff: undefined,
};

const known = new Map<string, ContentType>();

/** Returns the content type of a response; the last one, if there are several. */
export function contentTypeOf(headers: AnswerHeaders): ContentType {
  const value = headers['content-type'];
  const text = typeof value === 'object' ? value.at(-1) : value;
  if (text === undefined) return NONE;
  let type = known.get(text);
  if (type === undefined) {
    type = parse(text);
    if (known.size < 1000) known.set(text, type);
  }
  return type;
}

function parse(text: string): ContentType {
  const essence = (text.split(';', 1)[0] as string).trim().toLowerCase();
  const charset = /;\s*charset\s*=\s*["']?([^\s"';]+)/i.exec(text)?.[1]?.toLowerCase();
  const sniff = essence.includes('html') ? 'html' : /[/+]xml$/.test(essence) ? 'xml' : undefined;
  return { quoted: JSON.stringify(text), essence, media: mediaOf(essence), charset, sniff };
}

const TEXT =
  /^application\/(.*javascript|ecmascript|x-www-form-urlencoded|(x-)?(ndjson|jsonl|yaml|toml)|sql)$/;

function mediaOf(essence: string): ContentType['media'] {
  if (essence === '') return 'none';
  if (/^(application|text)\/json$|\+json$/.test(essence)) return 'json';
  return essence.startsWith('text/') || /[/+]xml$/.test(essence) || TEXT.test(essence) ? 'text' : 'binary';
}

/** Common extensions of types for which `mime` prefers an uncommon one, the first in the registry. */
const COMMON: ReadonlyMap<string, string> = new Map([
  ['audio/mpeg', 'mp3'],
  ['audio/ogg', 'ogg'],
  ['video/quicktime', 'mov'],
]);

/** Returns the file name extension of a content type, with its dot. Loads the table of types at the first call. */
export async function endingOf({ essence, media, sniff }: ContentType): Promise<string> {
  const { default: mime } = await import('mime');
  const known = COMMON.get(essence) ?? mime.getExtension(essence) ?? '';
  if (known !== '') return `.${known}`;
  if (media === 'json') return '.json';
  return sniff === undefined ? (media === 'text' ? '.txt' : '.bin') : `.${sniff}`;
}
