import { count, text } from '../../../core/options/declare.ts';

/** Default of `--max-pages`. */
export const MAX_PAGES = 1000;

/** Options of `--http` for results that come in pages. */
export const pageOptions = {
  /** JMESPath expression on the result whose value is the url of the next page, or `link` for the header `Link`. */
  next: text('fetch the next page too: its url by JMESPath on the result, as in json.next, or link', {
    placeholder: 'EXPR|link',
    details:
      "The next page is a separate task, with the attributes of the page that led to it, its url, and \"paging\". It is added once the page has succeeded, as ctx.add does in a module: see --spool, --ledger and --queue. The url may be relative; uri_encode() encodes a cursor for it, as in join('', ['?cursor=', uri_encode(json.cursor)]). null, false and '' end the pages, and any other value that is not a url makes the task fail with NEXT. link takes rel=next of the header Link. A page of another origin is fetched with GET and gets no headers with secrets. A page that was fetched before ends the pages, with a message.",
  }),
  /** Maximum number of pages for each task, including the first one. Default 1000. */
  maxPages: count('with --next: fetch at most N pages for each task', { default: MAX_PAGES }),
};
