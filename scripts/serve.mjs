// A small local web server for examples, tests and benchmarks: keep-alive, bodies of 250 bytes.
//
//   node scripts/serve.mjs [--port 8080] [--type json|html] [--fail-every N] [--delay MS] [--pages N]
//
// An option may also be a variable: SERVE_PORT, SERVE_TYPE, SERVE_FAIL_EVERY, SERVE_DELAY. Port 0 takes a free one. The
// first line on stdout is the url. These urls are special; every other url is answered with its own path:
//
//   /count          the number of other requests
//   /token          a token of OAuth 2 that lives for two seconds
//   /list/1 to 5    lists of three items with a link to the `next` list, also as a header; /lists/NAME is the first
//   /page/1 to 9    a site of HTML pages, all reachable from the first; with --pages N, of N pages and nothing else
//
// With --fail-every N, a url whose trailing number is divisible by N answers 500.
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';

const { SERVE_PORT, SERVE_TYPE, SERVE_FAIL_EVERY, SERVE_DELAY } = process.env;
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: SERVE_PORT ?? '8080' },
    type: { type: 'string', default: SERVE_TYPE ?? 'json' },
    'fail-every': { type: 'string', default: SERVE_FAIL_EVERY ?? '0' },
    pages: { type: 'string', default: '0' },
    delay: { type: 'string', default: SERVE_DELAY ?? '0' },
  },
});
const failEvery = Number(values['fail-every']);
const delay = Number(values.delay);
/** Number of HTML pages; 0 if other urls are answered, too. */
const onlyPages = Number(values.pages);
const pages = onlyPages || 9;
const LISTS = 5;
const isHtml = values.type === 'html';
const BYTES = 250;
let count = 0;

/** Returns a body of 250 bytes that names its url, or the beginning of a long url. */
function bodyOf(url) {
  const [open, close] = isHtml
    ? ['<!doctype html><title>', '</title><p>']
    : ['{"ok":true,"url":', ',"items":[1,2,3],"text":"'];
  const named = isHtml ? url.slice(0, 100).replace(/[<&]/g, '_') : JSON.stringify(url.slice(0, 100));
  const end = isHtml ? '</p>' : '"}';
  const start = `${open}${named}${close}`;
  return start + 'x'.repeat(Math.max(0, BYTES - start.length - end.length)) + end;
}

/** Returns list `n`: three items, and a link to the next list unless this is the last one. */
function listOf(n) {
  const items = [1, 2, 3].map((i) => ({ id: (n - 1) * 3 + i }));
  return JSON.stringify({ items, next: n < LISTS ? `/list/${n + 1}` : null });
}

/** Returns page `n` of the site: a tree, with some links across it, and one to another site. */
function pageOf(n) {
  const links = [2 * n, 2 * n + 1, (n * 7) % pages, 1].filter((to) => to >= 1 && to <= pages);
  const anchors = links.map((to) => `<a href="/page/${to}#top">page ${to}</a>`).join('\n');
  return `<!doctype html><title>Page ${n}</title>\n${anchors}\n<a href="http://example.invalid/">elsewhere</a>\n`;
}

function answerPage(path, response) {
  const n = Number(/^\/page\/(\d+)$/.exec(path)?.[1]);
  const isThere = n >= 1 && n <= pages;
  response.writeHead(isThere ? 200 : 404, { 'content-type': 'text/html; charset=utf-8' });
  response.end(isThere ? pageOf(n) : 'no such page');
}

function answer(request, response) {
  request.resume();
  const url = request.url;
  if (url === '/count') {
    response.end(String(count));
    return;
  }
  count++;
  if (url === '/token') {
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end('{"access_token":"secret","token_type":"Bearer","expires_in":2}');
    return;
  }
  if (onlyPages > 0 || url.startsWith('/page/')) {
    answerPage(url, response);
    return;
  }
  const list = url.startsWith('/lists/') ? 1 : Number(/^\/list\/([1-5])$/.exec(url)?.[1]);
  if (list) {
    const link = list < LISTS ? { link: `</list/${list + 1}>; rel="next"` } : {};
    response.writeHead(200, { 'content-type': 'application/json', ...link });
    response.end(listOf(list));
    return;
  }
  const trailing = failEvery > 0 ? /(\d+)\D*$/.exec(url) : null;
  const fails = trailing !== null && Number(trailing[1]) % failEvery === 0;
  const body = fails ? '{"ok":false}' : bodyOf(url);
  const headers = {
    'content-type': isHtml && !fails ? 'text/html; charset=utf-8' : 'application/json',
    'content-length': body.length,
  };
  response.writeHead(fails ? 500 : 200, headers);
  response.end(body);
}

const server = createServer((request, response) => {
  if (delay > 0) setTimeout(answer, delay, request, response);
  else answer(request, response);
});
server.keepAliveTimeout = 60_000;
server.listen(Number(values.port), '127.0.0.1', () => {
  process.stdout.write(`http://127.0.0.1:${server.address().port}\n`);
});
server.on('error', ({ code, message }) => {
  process.exitCode = 74;
  const why = code === 'EADDRINUSE' ? `port ${values.port} is taken; --port 0 takes a free one` : message;
  process.stderr.write(`serve: ${why}\n`);
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    server.close();
    server.closeAllConnections();
  });
}
