// A crawler of one site: fetches a page, keeps its title, and adds the pages that it links to.
//
//   export TASK_LEDGER=done.jsonl
//   echo https://example.com/ | task-load --field url --uuid-fields url |
//     task-exec --module examples/crawl.mjs --spool spool.ndjson -j 20 --rate 20/s | task-save pages.csv
//
// After a stop or a kill, the same command continues: the spool has the pages that were found, and the ledger those
// that are saved.
import { nameUuid } from 'taskpipe';

/** Returns the uuid of an added task: the same as with --uuid-fields url. */
export const taskId = ({ url }) => nameUuid(url);

export default async function crawl({ url }, { fetch, add }) {
  const page = await fetch(url);
  if (!page.ok)
    throw Object.assign(new Error(`${page.status} ${page.statusText}`), { retry: page.status >= 500 });
  const html = await page.text();
  for (const [, href] of html.matchAll(/<a\s[^>]*href="([^"]*)"/gi)) {
    const link = new URL(href, page.url);
    link.hash = '';
    if (link.origin === new URL(url).origin) add({ url: link.href });
  }
  return { status: page.status, title: /<title>([^<]*)/i.exec(html)?.[1] };
}
