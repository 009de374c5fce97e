import { mkdtempSync, readdirSync, readlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { hashOfKey, setKey } from '../../../src/core/ids/id-key.ts';
import { IdList } from '../../../src/core/ids/id-list.ts';
import { IdSet } from '../../../src/core/ids/id-set.ts';

/** More ids than the list keeps in memory: most are in the file, and some of the last in memory. */
const MANY = 720_000;

function uuidOf(i: number): string {
  return `${i.toString(16).padStart(8, '0')}-0000-4000-8000-00000000000${i % 8}`;
}

function many(): IdSet {
  const set = new IdSet();
  for (let i = 0; i < MANY; i++) if (!set.add(uuidOf(i))) throw new Error(`${i} is not new`);
  return set;
}

/** Returns the numbers with a wrong answer: those below `MANY` are in the set, the others are not. */
function wrongOf(set: IdSet, numbers: Iterable<number>): number[] {
  return [...numbers].filter((i) => set.has(uuidOf(i)) !== i < MANY);
}

function* from(first: number, step: number): Generator<number> {
  for (let i = first; i >= 0 && i < MANY * 2; i += step) yield i;
}

afterEach(() => {
  vi.unstubAllEnvs();
});

test('an id set keeps more ids than fit in memory, for lookups in any order', () => {
  const set = many();
  expect(set.size).toBe(MANY);
  expect(wrongOf(set, from(0, 1))).toEqual([]);
  expect(wrongOf(set, from(MANY * 2 - 1, -7))).toEqual([]);
  const numbers = fc.sample(fc.nat(MANY * 2), 20_000);
  expect(wrongOf(set, numbers)).toEqual([]);
  for (let i = 0; i < MANY; i += 1000) expect(set.delete(uuidOf(i))).toBe(true);
  expect(set.size).toBe(MANY - MANY / 1000);
  expect(set.has(uuidOf(5000))).toBe(false);
  expect(set.add(uuidOf(5000))).toBe(true);
  expect(set.add(uuidOf(5001))).toBe(false);
});

test('an id set stays in memory if it cannot create a temporary file', () => {
  vi.stubEnv('TMPDIR', join(tmpdir(), 'no-such-folder'));
  const set = many();
  expect(set.size).toBe(MANY);
  expect(wrongOf(set, from(0, 13))).toEqual([]);
});

test.skipIf(process.platform !== 'linux')('the temporary file has no name while it is in use', () => {
  const folder = mkdtempSync(join(tmpdir(), 'spill-'));
  vi.stubEnv('TMPDIR', folder);
  const set = many();
  expect(readdirSync(folder)).toEqual([]);
  const open = readdirSync('/proc/self/fd').map((fd) => linkOf(fd));
  expect(open.filter((path) => path.startsWith(`${folder}/taskpipe-`))).toHaveLength(1);
  expect(set.has(uuidOf(MANY - 1))).toBe(true);
});

function linkOf(fd: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${fd}`);
  } catch {
    return ''; // the descriptor of the folder itself
  }
}

test('an id set made from a list has each id once', () => {
  const list = new IdList();
  for (let i = 0; i < MANY; i++) list.add(uuidOf(i));
  for (let i = 0; i < MANY; i += 100) list.add(uuidOf(i));
  const set = new IdSet({ of: list });
  expect(set.size).toBe(MANY);
  expect(wrongOf(set, from(0, 3))).toEqual([]);
  expect(set.add(uuidOf(MANY))).toBe(true);
  expect(set.delete(uuidOf(100))).toBe(true);
  expect(set.has(uuidOf(100))).toBe(false);
});

test('a list visits its keys in order and stops on request', () => {
  const list = new IdList();
  const ids = Array.from({ length: 70_000 }, (_, i) => uuidOf(i));
  for (const id of ids) list.add(id);
  setKey(uuidOf(69_999));
  expect([list.length, list.isCurrent(69_999), list.isCurrent(0)]).toEqual([70_000, true, false]);
  const pieces: number[] = [];
  const goThrough = (): boolean => list.every((_, count, number) => pieces.push(number, count) < 2);
  expect(goThrough()).toBe(false);
  expect(pieces).toEqual([0, 65_536]);
});

/** Returns ids with equal hashes for every seed: the next word undoes each flip. */
function twinsOf(words: readonly [number, number, number, number]): string[] {
  const after = [(1 << 31) | (1 << 18), (1 << 31) | (1 << 15), (1 << 31) | (1 << 18)];
  return Array.from({ length: 8 }, (_, which) => {
    const twin = [...words] as [number, number, number, number];
    for (const [i, flip] of after.entries()) {
      if (((which >> i) & 1) === 0) continue;
      twin[i] = (twin[i] as number) ^ (1 << 31);
      twin[i + 1] = (twin[i + 1] as number) ^ flip;
    }
    const hex = twin.map((word) => (word >>> 0).toString(16).padStart(8, '0')).join('');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  });
}

test('an id set distinguishes ids with equal hashes', () => {
  const word = fc.integer({ min: 0, max: 2 ** 32 - 1 });
  const step = fc.tuple(fc.constantFrom('add', 'delete', 'has'), fc.nat(3), fc.nat(7));
  fc.assert(
    fc.property(
      fc.array(fc.tuple(word, word, word, word), { minLength: 4, maxLength: 4 }),
      fc.array(step, { maxLength: 200 }),
      (bases, steps) => {
        const families = bases.map(twinsOf);
        for (const family of families)
          for (const id of family) expect(hashes(id)).toEqual(hashes(family[0] as string));
        const ours = new IdSet();
        const model = new Set<string>();
        for (const [verb, family, twin] of steps) {
          const id = families[family]?.[twin] as string;
          if (verb === 'add') {
            expect(ours.add(id)).toBe(!model.has(id));
            model.add(id);
          } else if (verb === 'delete') expect(ours.delete(id)).toBe(model.delete(id));
          expect(ours.has(id)).toBe(model.has(id));
          expect(ours.size).toBe(model.size);
        }
      },
    ),
  );
});

function hashes(id: string): number[] {
  setKey(id);
  return [hashOfKey(1), hashOfKey(0x7654_3210)];
}
