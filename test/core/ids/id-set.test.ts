import fc from 'fast-check';
import { expect, test } from 'vitest';
import { stableHash } from '../../../src/core/ids/id-key.ts';
import { IdMap } from '../../../src/core/ids/id-map.ts';
import { IdSet } from '../../../src/core/ids/id-set.ts';

const NIL = '00000000-0000-0000-0000-000000000000';
const id = fc.oneof(
  fc.uuid(),
  fc.uuid().map((uuid) => uuid.toUpperCase()),
  fc.string({ minLength: 1, maxLength: 40 }),
  fc.constantFrom(
    'a',
    'b',
    NIL,
    'f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4',
    'F9168c5e-ceb2-4faa-b6bf-329bf39fa1e4',
  ),
);

test('an id map behaves like a Map for ids of all kinds', () => {
  const step = fc.tuple(fc.constantFrom('set', 'delete', 'get'), id, fc.integer());
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const ours = new IdMap();
      const model = new Map<string, number>();
      for (const [verb, key, value] of steps) {
        if (verb === 'set') {
          expect(ours.set(key, value)).toBe(!model.has(key));
          model.set(key, value);
        } else if (verb === 'delete') expect(ours.delete(key)).toBe(model.delete(key));
        expect(ours.get(key)).toBe(model.get(key));
        expect(ours.size).toBe(model.size);
      }
      for (const [key, value] of model) expect(ours.get(key)).toBe(value);
    }),
    { numRuns: 300 },
  );
});

test('an id set adds 100,000 ids and deletes half of them', () => {
  const set = new IdSet();
  const ids = Array.from(
    { length: 100_000 },
    (_, i) => `${i.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`,
  );
  for (const one of ids) set.add(one);
  for (let i = 0; i < ids.length; i += 2) set.delete(ids[i] as string);
  expect(set.size).toBe(50_000);
  expect(ids.filter((one, i) => set.has(one) !== (i % 2 === 1))).toEqual([]);
});

test('addBytes accepts the bytes of a canonical uuid and rejects others', () => {
  const set = new IdSet();
  const bytes = Buffer.from('{"uuid":"f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4"}');
  expect(set.addBytes(bytes, 9)).toBe(true);
  expect(set.has('f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4')).toBe(true);
  expect(set.addBytes(bytes, 9)).toBe(true);
  expect(set.size).toBe(1);
  expect(set.addBytes(bytes, 8)).toBe(false);
  expect(set.addBytes(Buffer.from('F9168c5e-ceb2-4faa-b6bf-329bf39fa1e4'), 0)).toBe(false);
  expect(set.addBytes(Buffer.from('short'), 0)).toBe(false);
});

test('ids added as bytes are found at once', () => {
  const set = new IdSet();
  const one = (i: number): string => `${i.toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
  for (let i = 0; i < 1000; i++) {
    set.addBytes(Buffer.from(one(i)), 0);
    if (i % 7 === 0) expect(set.delete(one(i))).toBe(true);
    if (i % 9 === 0) expect(set.has(one(i))).toBe(i % 7 !== 0);
    if (i % 11 === 0) expect(set.add(one(i))).toBe(i % 7 === 0);
  }
  const kept = Array.from({ length: 1000 }, (_, i) => i).filter((i) => i % 7 !== 0 || i % 11 === 0);
  expect(set.size).toBe(kept.length);
  expect(kept.every((i) => set.has(one(i)))).toBe(true);
});

test('the 16 bytes of a uuid are the same id as its text', () => {
  const bytes = (text: string): DataView => new DataView(new Uint8Array(Buffer.from(text, 'hex')).buffer);
  const set = new IdSet();
  const uuid = bytes('f9168c5eceb24faab6bf329bf39fa1e4');
  expect(set.hasUuid(uuid)).toBe(false);
  expect(set.addUuid(uuid)).toBe(true);
  expect(set.addUuid(uuid)).toBe(false);
  expect(set.has('f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4')).toBe(true);
  expect(set.add('00000000-0000-0000-0000-000000000000')).toBe(true);
  expect(set.hasUuid(bytes('0'.repeat(32)))).toBe(true);
  set.addBytes(Buffer.from('00000000-0000-4000-8000-000000000000'), 0);
  expect(set.addUuid(bytes('00000000000040008000000000000000'))).toBe(false);
  expect(set.size).toBe(3);
});

test('an upper-case uuid differs from the lower-case one', () => {
  const set = new IdSet();
  set.add('f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4');
  expect(set.has('F9168C5E-CEB2-4FAA-B6BF-329BF39FA1E4')).toBe(false);
});

test('the hash for shards is the same in every version and evenly distributed', () => {
  expect([
    stableHash('f9168c5e-ceb2-4faa-b6bf-329bf39fa1e4'),
    stableHash('my-own-id'),
  ]).toMatchInlineSnapshot(`
    [
      2975307082,
      3275573147,
    ]
  `);
  const counts = [0, 0, 0, 0];
  for (let i = 0; i < 10_000; i++)
    counts[stableHash(`task ${i}`) % 4] = (counts[stableHash(`task ${i}`) % 4] as number) + 1;
  for (const count of counts) expect(Math.abs(count - 2500)).toBeLessThan(200);
});
