import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Shape } from '../../../src/core/record/json-shape.ts';
import { parseTask, readTasks } from '../../../src/core/record/ndjson.ts';
import { Shapes } from '../../../src/core/record/shape-cache.ts';
import { stateOf, Task } from '../../../src/core/record/task.ts';

async function* inOnePiece(lines: readonly string[]): AsyncGenerator<Buffer> {
  yield Buffer.from(lines.map((line) => `${line}\n`).join(''));
}

async function read(lines: readonly string[]): Promise<Task[]> {
  const tasks: Task[] = [];
  const refuse = (): never => expect.unreachable();
  for await (const batch of readTasks(inOnePiece(lines), { source: 'x', reject: refuse }))
    tasks.push(...batch);
  return tasks;
}

const uuid = '9001bb83-6b21-38bf-b3fc-875885767f3a';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function heapUsed(): number {
  collectGarbage();
  return process.memoryUsage().heapUsed;
}

/** Returns enough records of a kind that their shape is known. */
function many(line: string): string[] {
  return new Array<string>(32).fill(line);
}

const scalar = fc.oneof(
  fc.constantFrom('0', '-0', '1.10', '1e400', '-1E-7', '12345678901234567890', 'true', 'false', 'null'),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => JSON.stringify(value)),
);
const text = fc
  .oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', 'null', 'a long one, longer than thirteen'))
  .map((value) => JSON.stringify(value));
const key = fc.oneof(
  fc.constantFrom('id', 'a.b', '1', 'run', 'state', '__proto__', 'constructor', 'é', '😀', '$', '"', '\\'),
  fc.string(),
);
const space = fc.constantFrom('', ' ');

/** Generates the text of objects, which may repeat names. */
function objectOf(value: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc
    .array(fc.tuple(space, key, space, value), { maxLength: 5 })
    .map(
      (members) => `{${members.map(([a, name, b, raw]) => `${a}${JSON.stringify(name)}:${b}${raw}`).join()}}`,
    );
}

const list = fc.array(fc.oneof(text, scalar), { maxLength: 3 }).map((items) => `[${items.join()}]`);
const leaf = fc.oneof(text, scalar, list);
const inner = objectOf(fc.oneof(leaf, objectOf(leaf), fc.constantFrom('[1, 2]', '[[]]', '[{"a":1}]')));
const record = fc
  .tuple(objectOf(fc.oneof({ weight: 3, arbitrary: leaf }, inner)), fc.constantFrom('SUCCESS', 'FAILURE'))
  .map(([object, state]) => `{"uuid":"${uuid}","run":{"state":"${state}"},${object.slice(1)}`)
  .map((line) => line.replace(/,\}$/, '}'));

/** Record with one character changed, removed or inserted. */
const spoilt = fc
  .tuple(
    record,
    fc.nat(),
    fc.constantFrom('', '"', '\\', ',', '[', ']', '}', '{', ':', '0', '1', ' ', '\t', '\0', '-', 'e', 'é'),
  )
  .map(([line, at, sign]) => {
    const i = at % (line.length + 1);
    return [line, line.slice(0, i) + sign + line.slice(i + (at % 2))] as const;
  });

test('each record equals the result of JSON.parse, whatever came before it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 4 }), async (kinds) => {
      const lines = [...kinds.flatMap(many), ...kinds];
      const tasks = await read(lines);
      expect(tasks.map(({ line }) => line)).toEqual(lines);
      for (const task of tasks) {
        const plain = new Task(uuid, task.line);
        expect(task.fields).toEqual(JSON.parse(task.line));
        expect(JSON.stringify(task.copy())).toBe(JSON.stringify(JSON.parse(task.line)));
        expect(stateOf(task)).toBe(stateOf(plain));
        for (const name of ['run', 'id', 'constructor', 'toString'])
          expect(task.has(name)).toBe(plain.has(name));
      }
    }),
    { numRuns: 150 },
  );
});

test('white space around a record is not part of it, whatever came before it', async () => {
  const plain = `{"uuid":"${uuid}","n":1}`;
  for (const [before, after] of [
    ['', ' '],
    ['\t', '\r'],
    ['\u2028', '\ufeff'],
  ] as const) {
    const lines = [...many(`${before}${plain}${after}`), plain, `${plain}${after}`];
    const tasks = await read(lines);
    expect(tasks.map(({ line }) => line)).toEqual(lines.map(() => plain));
    expect(tasks.at(-1)?.shape).toBeDefined();
  }
});

test('a shape matches only valid JSON, with the values of JSON.parse', () => {
  fc.assert(
    fc.property(spoilt, ([good, line]) => {
      const shape = Shape.of(good);
      const values = shape?.match(line);
      expect(shape?.scan(line)).toBe(values?.[shape?.uuid ?? 0]);
      if (values === undefined) return;
      expect(Shape.of(good)?.fields(values)).toEqual(JSON.parse(line));
      expect(parseTask(line)).not.toMatchObject({ code: 'JSON' });
    }),
    { numRuns: 5000 },
  );
});

test('most records are read by the shape of earlier ones', async () => {
  const lines = Array.from({ length: 1000 }, (_, i) => {
    const name = i % 10 === 0 ? 'with "quotes"' : 'without';
    return `{"uuid":"${uuid}","n":${i},"name":${JSON.stringify(name)},"result":{"status":200}}`;
  });
  const shaped = (await read(lines)).filter(({ shape }) => shape !== undefined);
  expect(shaped.length).toBeGreaterThan(800);
});

test('shapes match nothing after many records that all differ', () => {
  const shapes = new Shapes();
  const line = (i: number): string => `{"uuid":"${uuid}","name${i}":1}`;
  for (let i = 0; i < 10_000; i++) if (shapes.match(line(i)) === undefined) shapes.missed(line(i));
  expect(shapes.match(line(9999))).toBeUndefined();
  expect(shapes.match(line(15))).toBeUndefined();
});

test('an invalid uuid is rejected even if the rest matches a known shape', async () => {
  const bad: string[] = [];
  const lines = [
    ...many(`{"uuid":"${uuid}","n":1}`),
    '{"uuid":"","n":1}',
    `{"uuid":"${'x'.repeat(257)}","n":1}`,
  ];
  const reject = ({ code }: { code: string }): void => void bad.push(code);
  for await (const _ of readTasks(inOnePiece(lines), { source: 'x', reject }));
  expect(bad).toEqual(['UUID', 'UUID']);
});

test('a kept value does not retain the text it was read from', async () => {
  const filler = 'x'.repeat(60_000);
  const kept: string[] = [];
  async function* chunks(): AsyncGenerator<Buffer> {
    for (let i = 0; i < 1000; i++) {
      const names = [`a name of some length, no. ${i}`, filler];
      yield Buffer.from(names.map((name) => `{"uuid":"${uuid}","name":"${name}"}\n`).join(''));
    }
  }
  const before = heapUsed();
  const refuse = (): never => expect.unreachable();
  for await (const [task] of readTasks(chunks(), { source: 'x', reject: refuse }))
    kept.push(task?.copy().name as string);
  expect(kept.at(-1)).toBe('a name of some length, no. 999');
  expect(heapUsed() - before).toBeLessThan(20 * 1024 * 1024);
});
