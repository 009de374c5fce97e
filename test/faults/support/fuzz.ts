import fc from 'fast-check';

/** Generator of random numbers from a seed (Tommy Ettinger's mulberry32, public domain). */
export interface Random {
  /** Returns an integer from 0 to `limit` - 1. */
  below(limit: number): number;
  /** Returns one of the choices. */
  of<T>(choices: readonly T[]): T;
}

export function randomFrom(seed: number): Random {
  let state = seed;
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % limit;
  };
  return { below, of: (choices) => choices[below(choices.length)] as (typeof choices)[number] };
}

/** Returns JSON texts that fast-check generates: any values, and strings of any characters. */
function arbitraryJson(seed: number): readonly string[] {
  const values = fc.sample(fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' }), { seed, numRuns: 1500 });
  const strings = fc.sample(fc.string({ unit: 'binary', maxLength: 60 }), { seed, numRuns: 500 });
  return [...values, ...strings].map((value) => JSON.stringify(value));
}

/** JSON texts of values that have broken programs before. */
const NASTY: readonly string[] = [
  ...['null', 'true', '-0', '1.10', '1e999', '-1e-999', '12345678901234567890', '9'.repeat(400), '""'],
  ...[
    '"\\u0000"',
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u202eevil"',
    '"\u202eevil"',
    '"\u2028"',
    '"\\u001b[2J"',
  ],
  ...[
    '"a\\r\\nb"',
    '"a,b;c\\td"',
    '"=cmd()"',
    '"\\"\\""',
    '"\\\\"',
    '"\ufeff"',
    '"../../etc"',
    '"."',
    '"a=1&b=2"',
  ],
  ...[
    '{}',
    '[]',
    '[null]',
    '{"__proto__":{"x":1}}',
    '{"constructor":{"prototype":1}}',
    '{"toString":1,"valueOf":2}',
  ],
  ...[
    '{"":""}',
    '{"a.b":1,"a":{"b":2}}',
    '{"a":1,"a":2}',
    '{"Host":"evil","Content-Length":"5"}',
    '"{\\"a\\":"',
  ],
  ...[
    `${'['.repeat(60)}${']'.repeat(60)}`,
    `${'{"a":'.repeat(80)}1${'}'.repeat(80)}`,
    `"${'x'.repeat(3000)}"`,
  ],
];

/** Names with a meaning for taskpipe or JavaScript, and some unusual ones. */
const KEYS: readonly string[] = [
  ...['url', 'method', 'params', 'headers', 'data', 'json', 'timeout', 'id', 'name', 'result', 'run', 'uuid'],
  ...[
    '__proto__',
    'constructor',
    'toString',
    'hasOwnProperty',
    'length',
    'then',
    '',
    ' ',
    'a.b',
    'a',
    'x\\u0000',
  ],
  ...['x\\ud83d', '\\u202e', 'é', '"'.replace('"', '\\"'), 'k'.repeat(2000)],
];

const METHODS = ['get', 'POST', 'json', 'put', 'HEAD', 'options', 'delete', 'patch', 'TRACE', '', '\u0000'];
const STATES = ['SUCCESS', 'FAILURE', 'PENDING', 'REVERTED', 'success', ''];

/**
 * Returns a function that makes lines of NDJSON: valid records, and records of a kind that has broken
 * programs before.
 */
export function recordMaker(random: Random, seed: number): (n: number) => string {
  const arbitrary = arbitraryJson(seed);
  const value = (): string => (random.below(2) === 0 ? random.of(NASTY) : random.of(arbitrary));
  const runOf = (): string => {
    const state = JSON.stringify(random.of(STATES));
    const as = random.below(3) === 0 ? value() : '"result"';
    const error = random.below(3) === 0 ? value() : '{"code":"COLUMNS","message":"m"}';
    return `{"state":${state},"as":${as},"attempts":${random.below(3)},"at":${value()},"error":${error}}`;
  };
  return (n) => {
    let text = `{"uuid":"task-${n}","id":"${n}","name":"Zoë ${n}","url":"http://h.example/item/${n}?q=é"`;
    const kind = random.below(8);
    if (kind < 3) {
      const method = JSON.stringify(random.of(METHODS));
      text += `,"method":${method},"params":${value()},"headers":${value()},"data":${value()}`;
    }
    if (kind < 2)
      text += `,"json":${value()},"timeout":${random.of(['1', '0.5', '"2s"', '-1', '"x"', 'null'])}`;
    if (kind === 3) text += `,"run":${random.below(4) === 0 ? value() : runOf()},"result":${value()}`;
    if (kind === 4) text += `,"${random.of(KEYS)}":${value()}`;
    if (kind === 5) text = random.below(4) === 0 ? value() : `{"id":"${n}","x":${value()}`;
    if (kind === 6) text += `,"${random.of(KEYS)}":"${n}","${random.of(KEYS)}":${value()}`;
    return text.startsWith('{"uuid"') || text.startsWith('{"id"') ? `${text}}` : text;
  };
}

/** Bytes that mutations insert: ends of lines, cells and strings, and invalid UTF-8. */
const INSERTED: readonly Buffer[] = [
  ...[
    '\n',
    '\r',
    '\r\n',
    '\0',
    '"',
    '\\',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '\t',
    ' ',
    '\ufeff',
    '\u202e',
    '\u2028',
  ],
  ...['\ud83d\ude42', '\u0085', '\x1b[31m', '\\u', '\\ud800', '1e999', '__proto__', 'null', '""', '\v'],
].map((text) => Buffer.from(text));
const NO_TEXT: readonly Buffer[] = [
  [0xff],
  [0xc0, 0x80],
  [0xe2, 0x82],
  [0xf0, 0x9f, 0x99],
  [0xed, 0xa0, 0x80],
].map((bytes) => Buffer.from(bytes));

/** Returns a line with one error: a bit flipped, a part doubled, removed or cut off, or bytes inserted. */
export function mutated(line: Buffer, random: Random): Buffer {
  const at = random.below(line.length + 1);
  const to = Math.min(line.length, at + 1 + random.below(20));
  const joined = (...parts: readonly Buffer[]): Buffer => Buffer.concat([line.subarray(0, at), ...parts]);
  switch (random.below(7)) {
    case 0: {
      const flipped = Buffer.from(line);
      if (at < line.length) flipped[at] = (flipped[at] as number) ^ (1 << random.below(8));
      return flipped;
    }
    case 1:
      return joined(line.subarray(to));
    case 2:
      return joined(line.subarray(at, to), line.subarray(at));
    case 3:
      return joined();
    case 4:
      return joined(random.of(NO_TEXT), line.subarray(at));
    default:
      return joined(random.of(INSERTED), line.subarray(at));
  }
}

/** Returns a text of lines. About one line in `oneIn` is mutated. */
export function fuzzedText(
  count: number,
  random: Random,
  oneIn: number,
  make: (n: number) => string,
): Buffer {
  const pieces: Buffer[] = [];
  for (let n = 0; n < count; n++) {
    const line = Buffer.from(make(n));
    pieces.push(random.below(oneIn) === 0 ? mutated(line, random) : line, NEWLINE);
  }
  return Buffer.concat(pieces);
}

const NEWLINE = Buffer.from('\n');
