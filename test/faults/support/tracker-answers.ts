import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { answer, hang, reset, whole } from './fault-bytes.ts';
import { alike, type FaultCase } from './fault-case.ts';

/*
 * Odd answers of real servers, from the trackers of curl, wget, requests, urllib3, aiohttp, httpx, got, axios, undici,
 * Node and scrapy. Each row is the kind of a report, not its server.
 */

const TEXT = 'content-type: text/plain\n';
const CHUNKED = `${TEXT}transfer-encoding: chunked\n`;
const HELLO = { result: { text: 'hello' } };
const POST = { record: { method: 'post', data: 'a=1' } };

/** Returns bytes as they are, with line ends as HTTP has them. */
function raw(text: string): Buffer {
  return Buffer.from(text.replaceAll('\n', '\r\n'), 'latin1');
}

/** Returns an answer that is over when the connection is. */
function ending(bytes: Buffer | string): (socket: import('node:net').Socket) => void {
  return (socket) => void socket.end(bytes);
}

export function trackerAnswers(): FaultCase[] {
  return [
    ...heads(),
    ...framing(),
    ...chunks(),
    ...codings(),
    ...texts(),
    ...statuses(),
    ...strangers(),
    ...acts(),
  ];
}

function heads(): FaultCase[] {
  const body = 'content-length: 5\n\nhello';
  return alike(HELLO, {
    'has no reason': raw(`HTTP/1.1 200\n${TEXT}${body}`),
    'has an empty reason': raw(`HTTP/1.1 200 \n${TEXT}${body}`),
    'speaks HTTP/1.0': ending(raw(`HTTP/1.0 200 OK\n${TEXT}${body}`)),
    'ends its lines with LF': Buffer.from(`HTTP/1.1 200 OK\n${TEXT}${body}`),
    'has names in capitals': raw(`HTTP/1.1 200 OK\nCONTENT-TYPE: text/plain\nCONTENT-LENGTH: 5\n\nhello`),
    'has an empty header': whole(`${TEXT}x-a:\n`, 'hello'),
    'has spaces around a value': whole(`content-type: \t text/plain \t \n`, 'hello'),
    'has Latin-1 in a header': whole(`${TEXT}x-a: gr\xfcn\n`, 'hello'),
    'says its type twice': whole(`content-type: image/png\n${TEXT}`, 'hello'),
    'has headers of 15 KB': whole(`${TEXT}${`x-a: ${'y'.repeat(1000)}\n`.repeat(15)}`, 'hello'),
    'has 300 headers': whole(
      `${TEXT}${Array.from({ length: 300 }, (_, i) => `x-${i}: y\n`).join('')}`,
      'hello',
    ),
    'sets an invalid cookie': whole(
      `${TEXT}set-cookie: a\nset-cookie: =\nset-cookie: a=b; expires=never\n`,
      'hello',
    ),
    'has a location without a redirect': whole(`${TEXT}location: /elsewhere\n`, 'hello'),
    'keeps alive for no time': whole(`${TEXT}keep-alive: timeout=0, max=0\n`, 'hello'),
  });
}

function framing(): FaultCase[] {
  const length = (value: string): Buffer => answer(`${TEXT}content-length: ${value}\n`, 'hello');
  return [
    ...alike(HELLO, {
      'closes where its body ends': ending(answer(TEXT, 'hello')),
      'closes as it says, without a length': ending(answer(`${TEXT}connection: close\n`, 'hello')),
      'has zeros before its length': length('0005'),
      'has a space after its length': length('5 '),
      'resets after its body': reset(whole(TEXT, 'hello')),
      'half closes after its body': ending(whole(TEXT, 'hello')),
      'has a long head in two parts': (socket) => {
        socket.write(`HTTP/1.1 200 OK\r\nx-a: ${'y'.repeat(9000)}`);
        setImmediate(() => socket.write(`\r\n${TEXT.trim()}\r\ncontent-length: 5\r\n\r\nhello`));
      },
    }),
    ...alike(
      { code: 'CONNECTION', again: true },
      {
        'has a length with a plus': length('+5'),
        'has a length in hex': length('0x5'),
        'has a length with words': length('5 bytes'),
        'has a length of 2^70': length('1180591620717411303424'),
        'closes in its status line': ending('HTTP/1.1 20'),
        'closes after one byte': ending('H'),
        'closes in its headers': ending(raw(`HTTP/1.1 200 OK\n${TEXT}content-le`)),
        'resets in its headers': reset(raw(`HTTP/1.1 200 OK\n${TEXT}content-le`)),
      },
    ),
    { name: 'has an empty body', answer: whole(TEXT, ''), result: { text: '' } },
  ];
}

function chunks(): FaultCase[] {
  const sent = (body: string): Buffer => answer(CHUNKED, body.replaceAll('\n', '\r\n'));
  return [
    ...alike(HELLO, {
      'has an extension of a chunk': sent('5;a=b\nhello\n0\n\n'),
      'has a quoted extension': sent('5;a="b;c"\nhello\n0\n\n'),
      'has sizes in capitals, with zeros': sent('0000005\nhello\n0000\n\n'),
      'has trailers': sent('5\nhello\n0\nx-sum: 1\n\n'),
      'has a chunk for each byte': sent('1\nh\n1\ne\n1\nl\n1\nl\n1\no\n0\n\n'),
      'says chunked in capitals': answer(`${TEXT}Transfer-Encoding: CHUNKED\n`, '5\r\nhello\r\n0\r\n\r\n'),
      'says identity after chunked': answer(
        `${TEXT}transfer-encoding: chunked, identity\n`,
        '5\r\nhello\r\n0\r\n\r\n',
      ),
    }),
    ...alike(
      { code: 'CONNECTION', again: true },
      {
        'has a chunk size below zero': sent('-5\nhello\n0\n\n'),
        'has a chunk size with a prefix': sent('0x5\nhello\n0\n\n'),
        'has a chunk longer than its size': sent('3\nhello\n0\n\n'),
        'has an empty chunk size': sent('\nhello\n0\n\n'),
        'says chunked twice': answer(
          `${TEXT}transfer-encoding: chunked, chunked\n`,
          '5\r\nhello\r\n0\r\n\r\n',
        ),
        'closes in its trailers': ending(sent('5\nhello\n0\nx-a: ')),
      },
    ),
  ];
}

function codings(): FaultCase[] {
  const packed = gzipSync('hello');
  const as = (coding: string, body: Buffer | string = 'hello'): Buffer =>
    whole(`${TEXT}content-encoding: ${coding}\n`, body);
  return [
    ...alike(HELLO, {
      'says gzip in capitals': as('GZIP', packed),
      'says x-gzip': as('x-gzip', packed),
      'packs in two gzip members': as('gzip', Buffer.concat([gzipSync('hel'), gzipSync('lo')])),
      'packs with brotli': as('br', brotliCompressSync('hello')),
      'packs with deflate': as('deflate', deflateSync('hello')),
      'packs nothing, and says identity': as('identity'),
      'says a charset as its coding': as('utf-8'),
      'says none as its coding': as('none'),
      'has an empty coding': as(''),
      'packs its transfer with deflate': (socket) =>
        void socket.end(Buffer.concat([answer(`${TEXT}transfer-encoding: deflate\n`), deflateSync('hello')])),
    }),
    { name: 'packs an empty body', answer: as('gzip', ''), result: { text: '' } },
    { name: 'packs 204', answer: answer('content-encoding: gzip\n', '', '204 No'), result: { status: 204 } },
    ...alike({ code: 'DECODE', again: true }, { 'packs the other way': as('br', packed) }),
  ];
}

function texts(): FaultCase[] {
  const json = (body: string, type = 'application/json'): Buffer => whole(`content-type: ${type}\n`, body);
  const text = (type: string, body: string): Buffer => whole(`content-type: ${type}\n`, body);
  return [
    ...alike(
      { result: { text: 'grün' } },
      {
        'quotes its charset': text('text/plain; charset="UTF-8"', 'gr\xc3\xbcn'),
        'has a charset of Windows': text('text/plain; charset=windows-1252', 'gr\xfcn'),
        'has text in UTF-16': text('text/plain; charset=utf-16le', 'g\0r\0\xfc\0n\0'),
        'has Latin-1 and does not say so': text('text/plain', 'gr\xfcn'),
      },
    ),
    {
      name: 'declares Latin-1 in XML',
      answer: text('application/xml', '<?xml version="1.0" encoding="iso-8859-1"?><a>\xfc</a>'),
      result: { text: '<?xml version="1.0" encoding="iso-8859-1"?><a>ü</a>' },
    },
    { name: 'says JSON and sends HTML', answer: json('<html>'), result: { text: '<html>' } },
    { name: 'says JSON and sends nothing', answer: json(''), result: { text: '' } },
    { name: 'has a mark before JSON', answer: json('\xef\xbb\xbf7'), result: { json: 7 } },
    { name: 'has JSON as text/json', answer: json('7', 'text/json; charset=x'), result: { json: 7 } },
    { name: 'has JSON of a problem', answer: json('7', 'application/problem+json'), result: { json: 7 } },
    { name: 'has an invalid type', answer: text('oops', 'hello'), result: { type: 'oops' } },
    { name: 'has a type of many parts', answer: text('text/plain;;; charset', 'hello'), ...HELLO },
  ];
}

function statuses(): FaultCase[] {
  const says = (status: string, headers = ''): Buffer => whole(TEXT + headers, 'no', status);
  return [
    ...alike(
      { code: 'HTTP_STATUS', again: false },
      {
        'wants a password': says('401 No', 'www-authenticate: Basic realm="\xe2\x80\xae"\n'),
        'wants an upgrade': says('426 No', 'upgrade: h2c\nconnection: upgrade\n'),
        'wants no expectation': says('417 No'),
        'is a teapot': says("418 I'm a teapot"),
        'is a tunnel of Cloudflare that broke': says('522 No'),
        'has the status 599': says('599 No'),
        'offers choices': says('300 Choose', 'location: /never\n'),
        'wants a proxy': says('305 Use Proxy', 'location: http://127.0.0.1:1/\n'),
        'redirects nowhere': says('302 Found'),
        'says 304 unasked': answer('', '', '304 Not Modified'),
        'forbids by a limit that is over': says('403 No', 'x-ratelimit-remaining: 0\nx-ratelimit-reset: 0\n'),
      },
    ),
    ...alike(
      { code: 'HTTP_STATUS', again: true },
      {
        'times out by itself': says('408 Time', 'connection: close\n'),
        'is too early': says('425 Early'),
        'has a gateway that is bad': says('502 Bad'),
        'has a gateway that is late': says('504 Late'),
        'retries after never': says('500 No', 'retry-after: never\n'),
      },
    ),
    {
      name: 'has too many requests, and says -1',
      answer: says('429 No', 'retry-after: -1\n'),
      code: 'HTTP_STATUS',
    },
    ...['201 Made', '203 Changed', '206 Part', '226 Used', '299 Odd'].map(
      (status): FaultCase => ({
        name: `answers ${status}`,
        answer: whole(TEXT, 'hello', status),
        ...HELLO,
      }),
    ),
  ];
}

/** Servers that do not speak HTTP/1. */
function strangers(): FaultCase[] {
  const greets = (text: string): ((socket: import('node:net').Socket) => void) =>
    ending(Buffer.from(text, 'latin1'));
  return alike(
    { code: 'CONNECTION', again: true },
    {
      'answers with an alert of TLS': greets('\x15\x03\x01\x00\x02\x02\x46'),
      'is an SSH server': greets('SSH-2.0-OpenSSH_9.2\r\n'),
      'is a mail server': greets('220 mail.example.com ESMTP\r\n'),
      'is a radio': greets('ICY 200 OK\r\nicy-name: x\r\n\r\nhello'),
      'is Redis': greets("-ERR unknown command 'GET'\r\n"),
      'says HTTP/3': greets('HTTP/3.0 200 OK\r\ncontent-length: 5\r\n\r\nhello'),
      'says http in small letters': greets('http/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello'),
      'has letters in its status': greets('HTTP/1.1 2OO OK\r\ncontent-length: 5\r\n\r\nhello'),
      'has a status of two digits': greets('HTTP/1.1 20 OK\r\ncontent-length: 5\r\n\r\nhello'),
      'has a line that is not a header': greets('HTTP/1.1 200 OK\r\noops\r\ncontent-length: 5\r\n\r\nhello'),
      'has a space before a colon': greets('HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\nhello'),
      'has a header without a name': greets('HTTP/1.1 200 OK\r\n: x\r\ncontent-length: 5\r\n\r\nhello'),
    },
  );
}

/** Requests that a server may have acted on. */
function acts(): FaultCase[] {
  const LONG = 'x'.repeat(1_000_000);
  return [
    { name: 'resets a POST', answer: reset(''), ...POST, code: 'CONNECTION', again: false },
    {
      name: 'fails at a POST',
      answer: whole(TEXT, 'no', '500 No'),
      ...POST,
      code: 'HTTP_STATUS',
      again: false,
    },
    {
      name: 'has no time for a POST',
      answer: hang(''),
      record: { ...POST.record, timeout: 1 },
      code: 'TIMEOUT',
      again: false,
    },
    {
      name: 'fails at a PUT',
      answer: whole(TEXT, 'no', '500 No'),
      record: { method: 'put', data: 'a=1' },
      code: 'HTTP_STATUS',
      again: true,
    },
    {
      name: 'fails at an unknown method',
      answer: whole(TEXT, 'no', '500 No'),
      record: { method: 'FROB' },
      code: 'HTTP_STATUS',
      again: false,
    },
    {
      name: 'refuses a long body before its end',
      answer: ending(whole(`${TEXT}connection: close\n`, 'no', '413 Too Large')),
      record: { method: 'post', data: LONG },
      code: ['HTTP_STATUS', 'CONNECTION'], // a reset may come before the answer
      again: false,
    },
    {
      name: 'continues, then refuses a body',
      answer: Buffer.concat([answer('', '', '100 Continue'), whole(TEXT, 'no', '403 No')]),
      ...POST,
      code: 'HTTP_STATUS',
      again: false,
    },
    { name: 'answers a GET that has data', answer: whole(TEXT, 'hello'), record: { data: 'a=1' }, ...HELLO },
  ];
}
