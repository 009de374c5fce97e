import { deflateRawSync, gzipSync } from 'node:zlib';
import { answer, brotliBomb, drip, flood, gzipBomb, hang, reset, whole, zstdBomb } from './fault-bytes.ts';
import { alike, type FaultCase } from './fault-case.ts';

/* Hostile answers that are the same for each request. */

const TEXT = 'content-type: text/plain\n';
const JSON_TYPE = 'content-type: application/json\n';
const CHUNKED = 'transfer-encoding: chunked\n';
const HEAD = 'HTTP/1.1 200 OK\r\n';
const HINT = 'HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n';
const HALF = answer(`${TEXT}content-length: 100\n`, 'half');
const LONG = 'x'.repeat(100_000);

export function faultAnswers(): FaultCase[] {
  return [...hanging(), ...oversized(), ...broken(), ...packed(), ...odd()];
}

function hanging(): FaultCase[] {
  return [
    ...alike(
      { code: 'TIMEOUT', again: true, record: { timeout: 1 } },
      {
        'says nothing': () => {},
        'stops in its head': hang(`${HEAD}x-a: b\r\nx-`),
        'stops in its body': HALF,
        'drips its body': (socket) => drip(socket, answer(`${TEXT}content-length: 100000\n`), 'x'),
        'drips its headers': (socket) => drip(socket, HEAD, 'a: b\r\n'),
        'drips early hints forever': (socket) => drip(socket, '', HINT),
      },
    ),
    {
      name: 'has a chunk extension without an end',
      answer: (socket) => flood(socket, answer(TEXT + CHUNKED, '5;'), LONG),
      record: { timeout: 1 },
      code: ['TIMEOUT', 'CONNECTION'], // as its parser decides
    },
  ];
}

function oversized(): FaultCase[] {
  const fields = 'x-a: b\r\n'.repeat(8192);
  return [
    ...alike(
      { code: 'BODY_TOO_LARGE', again: false },
      {
        'sends 1 GB as gzip': whole('content-encoding: gzip\n', gzipBomb()),
        'sends gzip in gzip': whole('content-encoding: gzip, gzip\n', gzipSync(gzipBomb())),
        'sends 256 MB as brotli': whole('content-encoding: br\n', brotliBomb()),
        'sends chunks forever': (socket) => flood(socket, answer(TEXT + CHUNKED), `186a0\r\n${LONG}\r\n`),
        'announces 10 GB': answer(`${TEXT}content-length: 10737418240\n`, 'x'),
      },
    ),
    {
      name: 'sends 1 GB as zstd',
      answer: whole('content-encoding: zstd\n', zstdBomb()),
      code: ['BODY_TOO_LARGE', 'DECODE'], // Node 20 has no zstd
      again: false,
    },
    ...alike(
      { code: 'CONNECTION', again: true },
      {
        'has headers of 100 KB': whole(`x-long: ${LONG}\n`, 'ok'),
        'has headers without an end': (socket) => flood(socket, HEAD, fields),
        'has trailers without an end': (socket) =>
          flood(socket, answer(TEXT + CHUNKED, '2\r\nok\r\n0\r\n'), fields),
        'redirects 100 KB away': whole(`location: /${LONG}\n`, '', '302 There'),
      },
    ),
  ];
}

function broken(): FaultCase[] {
  return alike(
    { code: 'CONNECTION', again: true },
    {
      'floods with early hints forever': (socket) => flood(socket, '', HINT.repeat(500)),
      'closes without an answer': (socket) => void socket.end(),
      'resets without an answer': reset(''),
      'resets in its body': reset(HALF),
      'closes in its body': (socket) => void socket.end(HALF),
      'closes in a chunk': (socket) => void socket.end(answer(TEXT + CHUNKED, 'a\r\nhalf')),
      'closes before the last chunk': (socket) => void socket.end(answer(TEXT + CHUNKED, '4\r\nhalf\r\n')),
      'sends more than it announced': answer(`${TEXT}content-length: 4\n`, 'halfother half'),
      'sends two answers to one request': Buffer.concat([whole(TEXT, 'one'), whole(TEXT, 'two')]),
      'has two lengths': answer('content-length: 4\ncontent-length: 9\n', 'halfother'),
      'has chunks inside gzip': answer(`${TEXT}transfer-encoding: chunked, gzip\n`, 'hello'),
      'has a length below zero': answer('content-length: -5\n', 'hello'),
      'has a chunk of 2^64 bytes': answer(TEXT + CHUNKED, '10000000000000000\r\nhello'),
      'has a chunk without a number': answer(TEXT + CHUNKED, 'zz\r\nhello\r\n0\r\n\r\n'),
      'has NUL in a header': whole('x-a: b\0c\n', 'ok'),
      'has a bare CR in a header': whole('x-a: b\rx-c: d\n', 'ok'),
      'speaks HTTP/0.9': (socket) => void socket.end('<html>hello</html>'),
      'speaks HTTP/2': (socket) => void socket.end('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      'has the status 99': whole(TEXT, 'ok', '99 Odd'),
      'has the status 1000': whole(TEXT, 'ok', '1000 Odd'),
      'switches protocols unasked': answer(
        'upgrade: x\nconnection: upgrade\n',
        '',
        '101 Switching Protocols',
      ),
    },
  );
}

function packed(): FaultCase[] {
  const gzip = gzipSync('hello, world');
  const plain = 'content-type: text/plain; charset=';
  return [
    ...alike(
      { code: 'DECODE', again: true },
      {
        'packs rubbish as gzip': whole('content-encoding: gzip\n', 'rubbish'),
        'cuts gzip off': whole('content-encoding: gzip\n', gzip.subarray(0, -8)),
      },
    ),
    ...alike(
      { code: 'DECODE', again: false },
      {
        'packs four times': whole('content-encoding: gzip, gzip, gzip, gzip\n', gzip),
        'packs with an encoding that was not requested': whole('content-encoding: compress\n', 'x'),
      },
    ),
    {
      name: 'leaves the header of deflate out',
      answer: whole(`${TEXT}content-encoding: deflate\n`, deflateRawSync('hello')),
      result: { text: 'hello' },
    },
    {
      name: 'says a wrong charset',
      answer: whole(`${plain}utf-8\n`, 'gr\xfcn'),
      result: { base64: Buffer.from('gr\xfcn', 'latin1').toString('base64'), undecoded: 'utf-8' },
    },
    {
      name: 'names an invalid charset',
      answer: whole(`${plain}x-\xff\n`, 'gr\xc3\xbcn'),
      result: { text: 'grün' },
    },
    {
      name: 'has a mark that contradicts its charset',
      answer: whole(`${plain}utf-8\n`, '\xff\xfeh\0i\0'),
      result: { text: 'hi' },
    },
  ];
}

/** Returns a body in one chunk. */
function chunked(body: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from('\r\n0\r\n\r\n')]);
}

function odd(): FaultCase[] {
  const cookies = 'set-cookie: evil=1; Domain=example.com\nset-cookie: evil=2; Domain=com\nset-cookie: ;;=\n';
  return [
    ...alike(
      { result: { status: 200 } },
      {
        'sets cookies for others': whole(cookies, 'ok'),
        'poisons objects': whole(JSON_TYPE, '{"__proto__":{"a":1},"constructor":1}'),
        'nests JSON a million deep': whole(JSON_TYPE, '['.repeat(1e6) + ']'.repeat(1e6)),
      },
    ),
    ...alike(
      { code: 'HTTP_STATUS', again: false },
      {
        'has the status 999': whole(TEXT, 'ok', '999 Odd'),
        'asks for a proxy password': whole('proxy-authenticate: Basic\n', 'no', '407 Give'),
        'turns text by its reason': whole(TEXT, 'no', '404 \xe2\x80\xaeoops\xc2\x9b31m'),
      },
    ),
    { name: 'fails forever', answer: whole(TEXT, 'no', '500 No'), code: 'HTTP_STATUS', again: true },
    {
      name: 'sends a body to HEAD',
      record: { method: 'head' },
      answer: whole(TEXT, 'hello'),
      result: { status: 200 },
    },
    {
      name: 'sends a body with 204',
      answer: answer('content-length: 5\n', 'hello', '204 No Content'),
      result: { status: 204 },
    },
    ...alike(
      { result: { text: 'hello' } },
      {
        'has a length and chunks': answer(`${TEXT}content-length: 5\n${CHUNKED}`, '5\r\nhello\r\n0\r\n\r\n'),
        'folds its length': answer(`${TEXT}content-length:\n 5\n`, 'hello'),
        'continues unasked': Buffer.concat([answer('', '', '100 Continue'), whole(TEXT, 'hello')]),
        'packs its transfer': answer(
          `${TEXT}transfer-encoding: gzip, chunked
`,
          chunked(gzipSync('hello')),
        ),
      },
    ),
  ];
}
