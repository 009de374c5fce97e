/* Rows for PostgreSQL of records with a known shape are those of the same records without one. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Shape } from '../../src/core/record/json-shape.ts';
import { Task } from '../../src/core/record/task.ts';
import { ColumnRows } from '../../src/savers/postgres/postgres-rows.ts';
import { ShapeRows } from '../../src/savers/postgres/shape-rows.ts';
import type { TargetTable } from '../../src/savers/postgres/target-table.ts';

const table: TargetTable = {
  ...{ sql: 'tasks', generated: new Set<string>(), isOurs: true, hasRecords: false },
  columns: [{ name: 'uuid', kind: 'text', fallback: undefined }],
  uuidFault: () => undefined,
};

const texts = ['', 'a', 'é🙂', '1', 'null', 'a b', '2024-01-01T00:00:00.000Z', 'tab\t', 'x'.repeat(20)];
const scalars = ['0', '-0', '1.10', '1e5', '-7', 'true', 'false', 'null', '12345678901234567890'];
const lists = ['[]', '[1,2.0]', '["a",null]'];
const text = fc.constantFrom(...texts.map((value) => JSON.stringify(value)));
const leaf = fc.oneof(text, text, fc.constantFrom(...scalars), fc.constantFrom(...lists));
const name = fc.constantFrom('a', 'b', 'state', 'url', 'result', 'a.b', 'at', 'exact', '__proto__');

/** Members of an object, as the names of their values and the way to make each. */
type Members = readonly (readonly [string, fc.Arbitrary<string>])[];

const objectOf = (members: Members): fc.Arbitrary<string> =>
  fc
    .tuple(...members.map(([, value]) => value))
    .map((values) => `{${values.map((value, i) => `"${members[i]?.[0]}": ${value}`).join(',')}}`);

const run = objectOf([
  ['state', fc.constantFrom('"SUCCESS"', '"FAILURE"')],
  ['as', fc.constantFrom('"result"', '"a"')],
  ['attempts', fc.constantFrom('1', '2', 'null')],
  ['at', fc.constantFrom('"2024-01-01T00:00:00.000Z"', '"now"')],
  ['more', objectOf([['x', leaf]])],
  ['error', objectOf([['code', text]])],
  ['ms', fc.constantFrom('5', '-0')],
]);
const attributes = fc
  .uniqueArray(name, { maxLength: 6 })
  .chain((names) =>
    fc.tuple(
      ...names.map((one) =>
        fc.constantFrom(
          ['leaf', one] as const,
          ['text', one] as const,
          ['number', one] as const,
          ['object', one] as const,
        ),
      ),
    ),
  );

function anyOf(kind: string): fc.Arbitrary<string> {
  if (kind === 'text') return text;
  if (kind === 'number') return fc.constantFrom(...scalars);
  return kind === 'leaf'
    ? leaf
    : objectOf([
        ['k', leaf],
        ['o', objectOf([['n', leaf]])],
      ]);
}

/** Several records with the same names. */
const records = fc.tuple(attributes, fc.boolean()).chain(([kinds, hasRun]) => {
  const members: Members = [
    ['uuid', fc.constantFrom('"u1"', '"u2"', '"ü"')],
    ...kinds.map(([kind, one]) => [one, anyOf(kind)] as const),
    ...(hasRun ? [['run', run] as const] : []),
  ];
  return fc.array(objectOf(members), { minLength: 2, maxLength: 6 });
});

test('a record with a known shape gives the same row as one without', () => {
  let shaped = 0;
  fc.assert(
    fc.property(records, (lines) => {
      const [plain, fast] = [0, 0].map(() => new ColumnRows('t', table, undefined)) as [
        ColumnRows,
        ColumnRows,
      ];
      const shapes: Shape[] = [];
      for (const line of [...lines, ...lines]) {
        const uuid = JSON.parse(line).uuid as string;
        const known = shapes.find((shape) => shape.match(line) !== undefined) ?? Shape.of(line);
        if (known !== undefined) shapes.push(known);
        const task = new Task(uuid, line, undefined, known, known?.match(line));
        expect(fast.encode(task)).toEqual(plain.encode(new Task(uuid, line)));
        expect(fast.columns).toEqual(plain.columns);
        if (known !== undefined) shaped++;
      }
    }),
    { numRuns: 100 },
  );
  expect(shaped).toBeGreaterThan(0);
});

test('a record of plain values, a run and an object is one that the fast path takes', () => {
  const line =
    '{"uuid":"u","n":1.10,"url":"é","result":{"s":200,"o":{"t":"x"}},"run":{"state":"SUCCESS","ms":5}}';
  const rows = new ColumnRows('t', table, undefined);
  rows.encode(new Task('u', line)); // adds the columns
  const shape = Shape.of(line) as Shape;
  const indexes = new Map(rows.columns.map(({ name: column }, i) => [column, i]));
  const task = new Task('u', line, undefined, shape, shape.match(line));
  const row = new ShapeRows(rows.columns, indexes).rowOf(task);
  expect(row).toBe('u\t1.10\té\t{"s":200,"o":{"t":"x"}}\tSUCCESS\t5\n');
  expect(rows.encode(new Task('u', line))).toBe(row);
});
