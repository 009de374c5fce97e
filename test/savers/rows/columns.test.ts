import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Shape } from '../../../src/core/record/json-shape.ts';
import { Task } from '../../../src/core/record/task.ts';
import { ColumnMapper } from '../../../src/savers/rows/columns.ts';
import { leafPaths } from '../../../src/savers/rows/leaf-paths.ts';

function cells(line: string, names: readonly string[], isStrict = true): unknown {
  const found = new ColumnMapper(names, isStrict).cellsOf(new Task('u', line));
  return 'cells' in found ? [...found.cells] : found;
}

describe('the columns of a record', () => {
  test('are its leaf paths with dots, the uuid first', () => {
    const line = '{"b":1,"uuid":"u","a":{"c":[1],"d":{},"e":{"f":null}}}';
    expect(leafPaths(line)).toEqual(['uuid', 'b', 'a.c', 'a.d', 'a.e.f']);
  });

  test('keep the order of the text for integer names, also nested ones', () => {
    const line = '{"uuid":"u","z":1,"2020":1,"2019":{"10":1,"a":1,"9":1},"-1":1,"01":1}';
    expect(leafPaths(line)).toEqual(['uuid', 'z', '2020', '2019.10', '2019.a', '2019.9', '-1', '01']);
  });

  test('stand at the first position of a repeated name', () => {
    expect(leafPaths('{"a":1,"b":2,"a":{"c":3}}')).toEqual(['uuid', 'a.c', 'b']);
  });
});

describe('cells', () => {
  test.each([
    ['12345678901234567890', 'over 2^53'],
    ['1.10', 'a trailing zero'],
    ['1.0', 'a whole number with a point'],
    ['1e999', 'more than a double holds'],
    ['-0', 'minus zero'],
    ['1E2', 'an exponent'],
    ['200', 'a plain one'],
    ['1.5', 'a fraction'],
  ])('keep the digits of %s: %s', (digits) => {
    expect(cells(`{"s":" 7","n":${digits}}`, ['s', 'n'])).toEqual([' 7', digits]);
    expect(cells(`{"o":{"n": ${digits} ,"m":"x"},"n":1}`, ['n', 'o.n', 'o.m'])).toEqual(['1', digits, 'x']);
    expect(cells(`{"o":{"n":1},"n":${digits}}`, ['n'], false)).toEqual([digits]);
  });

  test.each([
    ['{"n":1,"n":1.0}', '1.0'],
    ['{"n":1,"n" :1.0}', '1.0'],
    ['{"n":1,"\\u006e":1.0}', '1.0'],
    ['{"n":1.0,"n":1}', '1'],
    ['{"n":0,"n":-0}', '-0'],
    ['{"n":"1","n":1e0}', '1e0'],
    ['{"n":12345678901234567000,"n":12345678901234567890}', '12345678901234567890'],
    ['{"o":{"n":1},"n":1,"o":{},"n":1.0}', '1.0'],
  ])('have the value of the last member of a repeated name: %s', (line, cell) => {
    expect(cells(line, ['n'], false)).toEqual([cell]);
  });

  test('have JSON text for an array, and for an object with a column of its name', () => {
    const line = '{"a":[1.0, {"b":"x, y"}],"o":{"p":2.50,"q":"é"}}';
    expect(cells(line, ['a', 'o', 'o.p'], false)).toEqual([
      '[1.0,{"b":"x, y"}]',
      '{"p":2.50,"q":"é"}',
      '2.50',
    ]);
  });

  test('are empty for null and absent values, which need no column', () => {
    expect(cells('{"a":null,"o":{"x":null},"b":false}', ['a', 'b', 'c'])).toEqual(['', 'false', '']);
  });

  test.each([true, false])(
    'are {} for an empty object with a column of its name (strict: %s)',
    (isStrict) => {
      expect(cells('{"a":{},"o":{"p":{ }}}', ['o.p', 'a'], isStrict)).toEqual(['{}', '{}']);
    },
  );

  test('lack a column for an empty object unless columns lie below its name', () => {
    expect(cells('{"a":{},"o":{"p":{}}}', [])).toEqual({ missing: ['a', 'o.p'] });
    expect(cells('{"a":{},"o":{"p":{}}}', ['a.x', 'o.y'])).toEqual({ missing: ['o.p'] });
    expect(cells('{"a":{},"o":{"p":{}}}', ['a.x', 'o.p.q'])).toEqual(['', '']);
    expect(cells('{"a":{},"b":1}', ['b'], false)).toEqual(['1']);
  });

  test('keep digits although integer names come first in a parsed object', () => {
    expect(cells('{"a":1.0,"7":5,"o":{"a":1}}', ['a', '7', 'o.a'])).toEqual(['1.0', '5', '1']);
  });

  test('come from other paths if these are given', () => {
    const columns = new ColumnMapper(['id', 'stock', 'again'], false, ['uuid', 'result.n', 'result.n']);
    const found = columns.cellsOf(new Task('u', '{"uuid":"u","stock":"no","result":{"n":1.10}}'));
    expect(found).toEqual({ cells: ['u', '1.10', '1.10'] });
    expect(columns.unusedFields.names).toEqual([]);
  });

  test('report every attribute without a column', () => {
    expect(cells('{"a":1,"o":{"x":1,"y":[2]},"p":"q"}', ['a', 'o.x'])).toEqual({ missing: ['o.y', 'p'] });
  });

  test('fit names with dots, but two attributes cannot share a column', () => {
    expect(cells('{"a.b":{"c":1}}', ['a.b.c'])).toEqual(['1']);
    expect(cells('{"a.b":1,"a":{"b":2},"c":1}', ['a.b'])).toEqual({ shared: ['a.b'] });
    expect(cells('{"a.b":1,"a":{"b":2},"c":1}', [])).toEqual({ shared: ['a.b'] });
    expect(cells('{"a.b":1,"a":{"b":2}}', ['a.b'], false)).toEqual({ shared: ['a.b'] });
  });

  test('treat __proto__ and constructor as plain data', () => {
    expect(cells('{"__proto__":{"x":"1"},"constructor":"2"}', ['__proto__.x', 'constructor'])).toEqual([
      '1',
      '2',
    ]);
  });

  test('equal the leaves of any record, digit for digit', () => {
    const leaf = fc.oneof(
      fc.constantFrom(
        '1.0',
        '0',
        '-0',
        '12',
        '1e5',
        '1.50',
        '2.5',
        'true',
        'null',
        '[1.0,"x"]',
        '"a,b"',
        '"\\"k\\":1"',
        '"é"',
      ),
      fc.integer().map(String),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
    );
    const key = fc.constantFrom('id', 'x', 'k', '2020', '7', 'long name', 'é');
    const level = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
      fc
        .uniqueArray(fc.tuple(key, value, fc.constantFrom('', ' ')), {
          selector: ([name]) => name,
          maxLength: 5,
        })
        .map((members) => `{${members.map(([name, raw, space]) => `"${name}":${space}${raw}`).join(',')}}`);
    const record = level(fc.oneof(leaf, level(fc.oneof(leaf, level(leaf)))));
    fc.assert(
      fc.property(record, (line) => {
        const task = new Task('u', line);
        const names = leafPaths(line).filter((name) => name !== 'uuid');
        const columns = new ColumnMapper(names, true);
        const found = columns.cellsOf(task);
        const expected = names.map((name) => plainCell(line, name.split('.')));
        expect('cells' in found && [...found.cells]).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });

  test('are the same for a record read by its shape and a parsed one', () => {
    const leaf = fc.oneof(
      fc.constantFrom('null', 'true', '1.10', '-0', '1e5', '""', '"a,b"', '"null"', '[1,"x"]', '[]'),
      fc.string().map((value) => JSON.stringify(value)),
    );
    const names = ['a', 'b', '1', 'a.b', 'a.1', 'b.a', 'a.b.1'];
    const level = (value: fc.Arbitrary<string>): fc.Arbitrary<string> =>
      fc
        .uniqueArray(fc.tuple(fc.constantFrom(...names), value), { selector: ([name]) => name, maxLength: 4 })
        .map((members) => members.map(([name, raw]) => `"${name}":${raw}`).join(','));
    const nested = level(leaf).map((members) => `{${members}}`);
    const record = level(fc.oneof(leaf, nested)).map((members) => `{"uuid":"u"${members && ','}${members}}`);
    fc.assert(
      fc.property(record, fc.subarray(names), fc.boolean(), (line, some, isStrict) => {
        const columns = ['uuid', ...some];
        const shape = Shape.of(line);
        const values = shape?.match(line);
        if (values === undefined) return;
        const [shaped, parsed] = [new ColumnMapper(columns, isStrict), new ColumnMapper(columns, isStrict)];
        const found = shaped.cellsOf(new Task('u', line, undefined, shape, values));
        expect(found).toEqual(parsed.cellsOf(new Task('u', line)));
        expect(shaped.unusedFields).toEqual(parsed.unusedFields);
      }),
      { numRuns: 2000 },
    );
  });
});

/** Returns the cell at a path by a slow and plain reading of the text. */
function plainCell(text: string, path: readonly string[]): string {
  let raw = text;
  for (const name of path) {
    // JSON.parse with source text access would be enough, but Node 20 lacks it.
    let depth = 0;
    let inString = false;
    let found = '';
    for (let i = 0; i < raw.length; i++) {
      if (inString) {
        if (raw[i] === '\\') i++;
        else if (raw[i] === '"') inString = false;
        continue;
      }
      if (depth === 1 && raw.startsWith(`"${name}":`, i)) {
        found = raw.slice(i + name.length + 3);
        break;
      }
      if (raw[i] === '"') inString = true;
      if (raw[i] === '{' || raw[i] === '[') depth++;
      if (raw[i] === '}' || raw[i] === ']') depth--;
    }
    raw = found.trimStart();
  }
  if (raw.startsWith('"')) return JSON.parse((/^"(?:[^"\\]|\\.)*"/.exec(raw) as RegExpExecArray)[0]);
  if (raw.startsWith('{')) return '{}';
  if (raw.startsWith('[')) return raw.slice(0, raw.indexOf(']') + 1);
  const token = (/^[^,}]*/.exec(raw) as RegExpExecArray)[0];
  return token === 'null' ? '' : token;
}
