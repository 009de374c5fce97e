/* Rows that WebAssembly writes while tasks are read equal those of the encoder, for any text, columns and chunks. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readTasks } from '../../../src/core/record/ndjson.ts';
import type { RowForm } from '../../../src/core/simd/row-form.ts';
import type { BadInput } from '../../../src/core/text/lines.ts';
import { type SaveOptions, save } from '../../../src/stages/save/save.ts';
import { brokenOf, objectOf, sign, valuesOf } from '../../support/odd-ndjson.ts';
import { freshFolder } from '../../support/run.ts';

interface Saved {
  /** Number of tasks whose rows were written while they were read. */
  readonly written: number;
}

/** Saves bytes as the standard input, in chunks of these lengths in turn. */
async function saved(
  bytes: Buffer,
  options: SaveOptions,
  lengths: readonly number[],
  isFast: boolean,
  maxLine?: number,
): Promise<Saved> {
  const folder = freshFolder();
  const bad: BadInput[] = [];
  const notes: string[] = [];
  const stdin = async function* (): AsyncGenerator<Buffer> {
    for (let at = 0, i = 0; at < bytes.length; i++) {
      const end = at + (lengths[i % lengths.length] as number);
      yield Buffer.from(bytes.subarray(at, end));
      at = end;
    }
  };
  let form: (() => RowForm | undefined) | undefined;
  let written = 0;
  const read = { source: 'stdin', reject: (one: BadInput) => bad.push(one), maxLine };
  const tasks = async function* () {
    for await (const batch of readTasks(stdin(), isFast ? { ...read, form: () => form?.() } : read)) {
      for (const task of batch) if (task.written !== undefined) written++;
      yield batch;
    }
  };
  // A record whose uuid has a row already counts here only if its own row was written.
  const told = (message: string): unknown => message.startsWith('no record had') || notes.push(message);
  const ledger = options.ledger && join(folder, options.ledger);
  const given: SaveOptions = { sync: 'none', ...options, ledger, warn: told, info: told };
  let summary: unknown;
  let error: string | undefined;
  try {
    summary = await save(tasks(), join(folder, 'out.csv'), {
      ...given,
      onForm: (opened) => {
        form = opened;
      },
    });
  } catch (caught) {
    error = String(caught);
  }
  const [out, rest, done] = ['out.csv', 'out.csv.rest.ndjson', 'done.jsonl'].map((name) => {
    const path = join(folder, name);
    return existsSync(path) ? readFileSync(path, 'utf8').split('\n') : undefined;
  });
  const all = JSON.stringify({ error, summary, bad, notes, out, rest, done }).replaceAll(folder, '');
  const now = /\\"(?:at|stamp)\\":\\"2?[^T"]*[^"]*\\"/g; // the only parts that differ between runs
  return { written, ...(JSON.parse(all.replace(now, '')) as object) };
}

async function expectSame(
  bytes: Buffer,
  options: SaveOptions,
  lengths: readonly number[],
  maxLine?: number,
): Promise<Saved> {
  const { written: _, ...slow } = await saved(bytes, options, lengths, false, maxLine);
  const fast = await saved(bytes, options, lengths, true, maxLine);
  expect(fast).toMatchObject(slow);
  return fast;
}

/** Members of the first record of an output, from which others are made. */
const FIRST: readonly Named[] = [
  ['url', '"http://h/1"'],
  ['n', '1'],
  ['o', '{"a":"x","b":[1],"p":{"q":null}}'],
  ['text', '"t"'],
];
/** The same of a task that was run. */
const DONE: readonly Named[] = [
  ['url', '"a"'],
  ['text', '"b"'],
  ['result', '{"status":200,"t":"c"}'],
  ['run', '{"state":"SUCCESS","as":"result","attempts":1,"at":"2026-01-01T00:00:00.000Z","ms":3}'],
];
type Named = readonly [name: string, json: string];

/** Maximum length of a line in some runs, in bytes. */
const MOST = 3000;

/** Records of 20 KB, so that WebAssembly is used. */
function start(members: readonly Named[], prefix = 's'): string {
  const others = members.filter(([one]) => one !== 'text');
  const line = (i: number): string =>
    objectOf([['uuid', `"${prefix}${i}"`], ...others, ['text', `"${'x'.repeat(2700)}"`]]);
  return Array.from({ length: 7 }, (_, i) => `${line(i)}\n`).join('');
}

const text = fc.oneof(
  fc.constantFrom(
    '',
    'a',
    'http://h/1',
    'Ümläut',
    '名前',
    '😀',
    '\u2028',
    '\u007f',
    'x'.repeat(15),
    'y'.repeat(300),
    ' a ',
  ),
  fc.constantFrom(
    '"',
    'a"b"',
    'a,b',
    ';',
    '\\',
    '\n',
    '\t\r\b\f',
    '\r\n',
    '/',
    '\u0000',
    '\u001f',
    '\ud83d',
    '\udc00x',
    '=1+1',
    '"",""',
  ),
);
const name = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('url', 'n', 'o', 'text', 'a', 'b', 'p', 'q') },
  { weight: 2, arbitrary: fc.constantFrom('uuid', 'run', 'result', 'state', 'status', 'SUCCESS') },
  {
    weight: 1,
    arbitrary: fc.constantFrom('é', '', 'o.a', 'result.status', 'a"b', '__proto__', 'ur', 'urls'),
  },
);
/** JSON text of a string, in one of its spellings. */
const spelled = fc.tuple(text, fc.constantFrom('', 'u', '/')).map(([one, how]) => {
  const json = JSON.stringify(one);
  if (how === '/') return json.replaceAll('/', '\\/');
  return how === ''
    ? json
    : json.replace(/[^ -~]|[xy]/g, (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`);
});
const scalar = fc.oneof(
  { weight: 3, arbitrary: spelled },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      '0',
      '-0',
      '12',
      '1.50',
      '-1e5',
      '1E+2',
      '12345678901234567890',
      'true',
      'false',
      'null',
      'null',
    ),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '"\\ud83d\\ude00"',
      '"\\ud83d"',
      '"\\ud83dx"',
      '"\\ud83d\\u0041"',
      '"\\ude00"',
      '"\\u0000"',
      '"\\u00E9\\n\\""',
      '01',
      '1.',
      'NaN',
      'tru',
      '"\\x"',
      '"\\u12"',
      '"a\tb"',
      '',
    ),
  },
);
const value = valuesOf(name, scalar);
const run = fc.constantFrom(
  '{"state":"SUCCESS","as":"result","attempts":1,"at":"2026-01-01T00:00:00.000Z","ms":3}',
  '{"state":"SUCCESS"}',
  '{"state":"FAILURE","as":"result","attempts":1,"error":{"code":"E","message":"m"}}',
  '{"state":"SUCCESS","state":"FAILURE"}',
  '{"state":"PENDING"}',
  ...[
    '{"state":"\\u0053UCCESS"}',
    '{"state":1}',
    '{"as":"result"}',
    '{}',
    '1',
    'null',
    '"SUCCESS"',
    '{"state":"SUCCESS" }',
    '{"state":"SUCCESSX"}',
  ],
);
const uuid = fc.oneof(
  { weight: 8, arbitrary: fc.nat(30).map((i) => JSON.stringify(`u${i}`)) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '""',
      '" "',
      '" a"',
      '"é"',
      '"\\u0061"',
      '1',
      '"s1"',
      '"a b"',
      `"${'x'.repeat(64)}"`,
      `"${'x'.repeat(65)}"`,
      `"${'x'.repeat(257)}"`,
      '"\\u007f"',
    ),
  },
);
/** Changes a list of members, most of which still have columns. */
type Edit = (members: readonly Named[]) => readonly Named[];
const edit = fc.oneof(
  fc.tuple(fc.nat(), value).map(
    ([at, json]): Edit =>
      (all) =>
        all.map((one, i) => (i === at % all.length ? [one[0], json] : one)),
  ),
  fc.nat().map(
    (at): Edit =>
      (all) =>
        all.toSpliced(at % all.length, 1),
  ),
  fc.tuple(fc.nat(), fc.nat()).map(
    ([from, to]): Edit =>
      (all) =>
        all.toSpliced(to % all.length, 0, all[from % all.length] as Named),
  ),
  fc.tuple(fc.nat(), name, value).map(
    ([at, key, json]): Edit =>
      (all) =>
        all.toSpliced(at % all.length, 0, [key, json]),
  ),
  fc.tuple(fc.nat(), fc.oneof(value, run)).map(
    ([at, json]): Edit =>
      (all) =>
        all.toSpliced(at % all.length, 0, ['run', json]),
  ),
  fc.constant<Edit>((all) => all.toReversed()),
);
const record = fc
  .tuple(fc.constantFrom(FIRST, DONE), uuid, fc.array(edit, { maxLength: 2 }), sign(':'), sign(','))
  .map(([members, id, edits, colon, comma]) =>
    objectOf(
      edits.reduce<readonly Named[]>((all, change) => change(all), [['uuid', id], ...members]),
      colon,
      comma,
    ),
  );
/** Records of about the maximum length. */
const long = fc.tuple(uuid, fc.integer({ min: MOST - 1, max: MOST + 1 })).map(([id, length]) => {
  const json = objectOf([['uuid', id], ...FIRST]);
  return json.replace('"t"', (t) => `"${'t'.repeat(Math.max(0, length - json.length + t.length - 2))}"`);
});
const line = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.tuple(record, fc.constantFrom('', '', '', ' ', '\r', ' \r')).map((two) => two.join('')),
  },
  { weight: 1, arbitrary: long },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      '',
      ' ',
      '\r',
      '[1]',
      '1',
      '{',
      '{}',
      '{"uuid":"a"} {"uuid":"b"}',
      '{"uuid":"a"}}',
      '\ufeff{"uuid":"a"}',
      '{"uuid":"a","uuid":"b"}',
    ),
  },
  { weight: 1, arbitrary: brokenOf(record) },
);
const bytes = fc
  .tuple(
    fc.array(line, { maxLength: 60, size: 'max' }),
    fc.oneof({ weight: 5, arbitrary: fc.constant([]) }, fc.constantFrom([0xff, 10], [0xe2, 0x82, 10], [0])),
  )
  .map(([lines, odd]) =>
    Buffer.concat([Buffer.from(lines.map((one) => `${one}\n`).join('')), Buffer.from(odd)]),
  );
const options = fc.constantFrom<SaveOptions>(
  {},
  {},
  { ledger: 'done.jsonl' },
  { all: true },
  { widen: true },
  { delimiter: ';' },
  { delimiter: ' ' },
  { bom: true },
  { fields: ['uuid', 'text', 'o.a', 'n', 'result.status'] },
  { fields: ['o', 'uuid'] },
  { fields: ['uuid', 'run.state', 'url', 'run.attempts', 'none'] },
  { fields: ['url'] },
);

test('any text has the same rows, rest and messages, however it is cut', async () => {
  let written = 0;
  await fc.assert(
    fc.asyncProperty(
      bytes,
      options,
      fc.constantFrom(FIRST, DONE),
      fc.integer({ min: 1, max: 60 }),
      fc.boolean(),
      async (odd, given, members, length, isLimited) => {
        const head = Buffer.from(start(members));
        const all = Buffer.concat([head, odd, Buffer.from('\n'), head]);
        const first = head.length >> 1;
        written += (await expectSame(all, given, [first, all.length], isLimited ? MOST : undefined)).written;
        await expectSame(all, given, [first, head.length, length]);
      },
    ),
    { numRuns: 120 },
  );
  expect(written).toBeGreaterThan(500); // otherwise the writer would not be tested
});

test.each([
  ['a', '{"status":200}', []],
  ['an empty', '{}', ['no record had "result.status" (--fields)']],
])('%s value of a column is known at the end', async (_, result, expected) => {
  const notes: string[] = [];
  let form: (() => RowForm | undefined) | undefined;
  const bytes = Buffer.from(start(FIRST) + start([['result', result]], 't'));
  const chunks = async function* (): AsyncGenerator<Buffer> {
    yield bytes.subarray(0, 4000);
    yield bytes.subarray(4000);
  };
  const tasks = readTasks(chunks(), { source: 'stdin', reject: () => {}, form: () => form?.() });
  const { saved: count } = await save(tasks, join(freshFolder(), 'out.csv'), {
    fields: ['uuid', 'result.status'],
    info: (note) => notes.push(note),
    onForm: (opened) => {
      form = opened;
    },
  });
  expect(count).toBe(14);
  expect(notes.filter((note) => !note.includes('so far'))).toEqual(expected);
});

test.each<SaveOptions>([
  { escapeFormulas: true },
  { format: 'tsv' },
  { format: 'ndjson' },
  { fields: ['o', 'o.a', 'uuid'] },
  { fields: ['uuid', 'run', 'url'] },
  { fields: ['uuid', { name: 'b', path: 'uuid' }] },
  { delimiter: '\\' },
])('%j is left to the encoder', async (given) => {
  const head = start(DONE);
  const { written } = await expectSame(Buffer.from(head + start(DONE, 't')), given, [head.length]);
  expect(written).toBe(0);
});

/** Lines in which a mistake of the writer would show. */
const TRICKY = [
  '{"uuid":"t1","o":{"a":"1","b":2},"o":{"b":3}}',
  '{"uuid":"t2","o":{"a":"1"},"o":null}',
  '{"uuid":"t3","uuid":"t4","n":1}',
  '{"uuid":"t5","n":1,"n":2}',
  '{"uuid":"t6","o.a":"x"}',
  '{"uuid":"t7","o":{"a":"x"},"o.a":"y"}',
  '{"uuid":"t8","o":{"b":[1, 2]}}',
  '{"uuid":"t9","o":{"b":{"x": 1}}}',
  '{"uuid": "t10", "n": 1, "o": {"a": "x y", "b": ["a b"]}}',
  '{"uuid":"t11","o":5}',
  '{"uuid":"t12","o":[1]}',
  '{"uuid":"t13","o":{}}',
  '{"uuid":"t14","text":"a\\rb"}',
  '{"uuid":"t15","text":"\\n"}',
  '{"uuid":"t16","text":"\\""}',
  '{"uuid":"t17","text":"\\u002c\\u003b\\u0020"}',
  '{"uuid":"t18","text":"\\ud83d\\ud83d"}',
  '{"uuid":"t19","text":"\\ud83d\\ude00"}',
  '{"uuid":"t19a","text":"\\ud83d\\uffff"}',
  '{"uuid":"t20","text":"\\udc00"}',
  '{"uuid":"t21","text":"\\u0000"}',
  '{"uuid":"t22","text":"\\ud83d"}',
  '{"uuid":"t23","text":"\\u00e9\\u0800\\uffff\\t\\b\\f\\/\\\\"}',
  '{"uuid":"t24","run":{"state":"FAILURE"},"n":1}',
  '{"uuid":"t25","run":{"as":"result"},"n":1}',
  '{"uuid":"t26","run":1}',
  '{"uuid":"t27","run":{"state":"SUCCESSES"}}',
  '{"uuid":"t28","run":{"state":"SUCCESS","error":null}}',
  '{"uuid":"t29","new":null,"n":7}',
  '{"uuid":"t30","new":1,"n":7}',
  '{"uuid":"t31","o":{"new":null,"a":"z"}}',
  '{"uuid":"t32","o.b":null}',
  `{"uuid":"${'u'.repeat(64)}"}`,
  `{"uuid":"${'u'.repeat(65)}"}`,
  `{"uuid":"${'u'.repeat(257)}"}`,
  '{"uuid":"ü"}',
  '{"uuid":"\\u0061"}',
  '{"uuid":" "}',
  '{"uuid":"t33","n":1}\r',
  '{"uuid":"t34","n":1} ',
  '{"uuid":"t35","n":1}}',
  '{"uuid":"t36","n":01}',
  '{"uuid":"t37","a\\"b":1}',
  '',
  '{"uuid":"t38","url":"","text":""}',
  `{"uuid":"t39","o":{"b":${'['.repeat(40)}${']'.repeat(40)}}}`,
];

test.each<SaveOptions>([
  {},
  { ledger: 'done.jsonl' },
  { widen: true },
  { delimiter: ';' },
  { delimiter: ' ' },
  { fields: ['uuid', 'text', 'o.a', 'o.b', 'n', 'run.state'] },
  { fields: ['uuid', 'o'] },
  { fields: ['text'] },
])('tricky lines have the same rows with %j', async (given) => {
  for (const members of [FIRST, DONE]) {
    const head = start(members);
    for (const between of ['\n', `\n{"uuid":"x","n":9,"url":"between"}\n`]) {
      const bytes = Buffer.from(`${head}${TRICKY.join(between)}\n${start(members, 't')}`);
      expect((await expectSame(bytes, given, [head.length, bytes.length])).written).toBeGreaterThan(10);
    }
  }
});

test('a block of more lines than the writer takes at once is saved whole', async () => {
  const lines = Array.from({ length: 17_000 }, (_, i) => `{"uuid":"${i.toString(36)}"}\n`).join('');
  const { written } = await expectSame(Buffer.from(`{"uuid":"first"}\n${lines}`), {}, [17, 262_000]);
  expect(written).toBe(2 ** 14);
});
