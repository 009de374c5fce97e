/** What kind of body a content type announces; `none` where there is no type. */
export type Media = 'json' | 'text' | 'binary' | 'none';

const known = new Map<string, Media>();

/** The kind that a content type is of. @param type the header's value, '' where there is none */
export function mediaOf(type: string): Media {
  let media = known.get(type);
  if (media === undefined) {
    media = judge(essence(type));
    if (known.size < 1000) known.set(type, media);
  }
  return media;
}

const TEXT =
  /^application\/(.*javascript|ecmascript|x-www-form-urlencoded|(x-)?(ndjson|jsonl|yaml|toml)|sql)$/;

function essence(type: string): string {
  return (type.split(';', 1)[0] as string).trim().toLowerCase();
}

function judge(type: string): Media {
  if (type === '') return 'none';
  if (/^(application|text)\/json$|\+json$/.test(type)) return 'json';
  if (type.startsWith('text/') || /[/+]xml$/.test(type)) return 'text';
  return TEXT.test(type) ? 'text' : 'binary';
}

const ENDINGS: Readonly<Record<string, string>> = {
  'application/json': '.json',
  'application/javascript': '.js',
  'application/octet-stream': '.bin',
  'application/pdf': '.pdf',
  'application/xml': '.xml',
  'application/zip': '.zip',
  'application/gzip': '.gz',
  'audio/mpeg': '.mp3',
  'image/gif': '.gif',
  'image/jpeg': '.jpg',
  'image/png': '.png',
  'image/svg+xml': '.svg',
  'image/webp': '.webp',
  'text/css': '.css',
  'text/csv': '.csv',
  'text/html': '.html',
  'text/javascript': '.js',
  'text/markdown': '.md',
  'text/plain': '.txt',
  'text/xml': '.xml',
  'video/mp4': '.mp4',
};

/** The ending of a file of a content type, with its dot. */
export function endingOf(type: string): string {
  const name = essence(type);
  if (Object.hasOwn(ENDINGS, name)) return ENDINGS[name] as string;
  const media = mediaOf(type);
  return media === 'json' ? '.json' : /[/+]xml$/.test(name) ? '.xml' : media === 'text' ? '.txt' : '.bin';
}
