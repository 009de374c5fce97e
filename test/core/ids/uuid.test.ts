import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nameUuid, nameUuidBytes, randomUuid, writeUuid } from '../../../src/core/ids/uuid.ts';

/** Printed by Python: `uuid.uuid3(uuid.NAMESPACE_URL, name)`, and `uuid5`. */
const VECTORS = [
  ['http://example.com/', '773536a8-4b7b-383d-9106-697d4d366254', '0a300ee9-f9e4-5697-a51a-efc7fafaba67'],
  ['', '14cdb9b4-de01-3faa-aff5-65bc2f771745', '1b4db7eb-4057-5ddf-91e0-36dec72071f5'],
  ['a', '33838e93-63bc-3732-bf9e-b68d970b79c2', 'e1407479-3136-56c0-9908-bb02fb0339e2'],
  ['https://h/ü?q=日本語', '6d0ebe23-6e87-36fe-bd4f-ffc9af8055e2', '3d5c436c-f86a-5a33-810d-cefd6463706e'],
  ['x'.repeat(70), 'ef8c7b7b-46ca-3632-820a-d300764631f7', '62131fe0-1278-5d5b-a732-4ccb219b77a9'],
  ['a\u001fbc', '411b9817-66fb-36d8-8385-a1b90479dbae', 'dc3565af-810a-5a9f-824b-d369bfc40f4f'],
  ['ab\u001fc', 'f6f3bd17-e737-356b-b2cc-9d5b867a31a0', 'bbaac8d6-574b-58d0-94a4-39c63be8cd14'],
  ['😀', '61de432c-c2e8-3f22-b369-f87d0a010d0b', 'f0793165-4aab-598c-9164-4efc598481b2'],
] as const;

test.each(VECTORS)('name uuids of %j equal those of Python', (name, uuid3, uuid5) => {
  expect(nameUuid(name)).toBe(uuid3);
  expect(nameUuid(name, 5)).toBe(uuid5);
});

test('names longer than the buffer are hashed whole', () => {
  const name = 'é'.repeat(100_000);
  expect(nameUuid(name)).not.toBe(nameUuid(`${name}é`));
  expect(nameUuid('a')).toBe(VECTORS[2][1]);
});

/** Returns the uuid by the rules of RFC 9562, with node:crypto. */
function plainUuid(name: string, version: 3 | 5): string {
  const hash = createHash(version === 3 ? 'md5' : 'sha1').update(
    Buffer.from('6ba7b8119dad11d180b400c04fd430c8', 'hex'),
  );
  const bytes = hash.update(name).digest().subarray(0, 16);
  bytes[6] = ((bytes[6] as number) & 0x0f) | (version << 4);
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

function uuidOfBytes(name: string, version: 3 | 5): string {
  const bytes = Buffer.from(`before${name}behind`);
  const text = Buffer.alloc(40, ' ');
  writeUuid(nameUuidBytes(bytes, 6, bytes.length - 6, version), text, 2);
  return text.toString();
}

test('name uuids equal those of node:crypto, from text and from bytes', () => {
  const any = fc.string({ unit: 'binary', maxLength: 400 });
  fc.assert(
    fc.property(any, fc.constantFrom<3 | 5>(3, 5), (name, version) => {
      const expected = plainUuid(name, version);
      expect(nameUuid(name, version)).toBe(expected);
      expect(uuidOfBytes(name, version)).toBe(`  ${expected}  `);
    }),
    { numRuns: 1000 },
  );
});

test('names of every length get the uuids of node:crypto, also short ones after long ones', () => {
  for (let length = 300; length >= 0; length--) {
    const name = 'a'.repeat(length);
    for (const version of [3, 5] as const) expect(nameUuid(name, version)).toBe(plainUuid(name, version));
  }
  expect(uuidOfBytes('é'.repeat(100_000), 3)).toBe(`  ${plainUuid('é'.repeat(100_000), 3)}  `);
});

test('a uuid of version 7 begins with the time and is new each time', () => {
  const before = Date.now();
  const [one, two] = [randomUuid(7), randomUuid(7)];
  const time = Number.parseInt(one.slice(0, 8) + one.slice(9, 13), 16);
  expect(time).toBeGreaterThanOrEqual(before);
  expect(time).toBeLessThanOrEqual(Date.now());
  expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(one).not.toBe(two);
});
