import { expect, test } from 'vitest';
import { hashMember, hashText, hashValue } from '../../../src/core/record/checksum.ts';
import { membersOf } from '../../../src/core/record/json-text.ts';
import { lengthsOf, sumOfMembers } from '../../../src/core/record/member-sum.ts';
import { randomFrom } from '../../faults/support/live.ts';

/** Names of members as JSON texts with escapes. */
const ESCAPED = ['\\u0075uid', 'u\\u0072l', '\\"', '\\\\', 'a\\n'];

/** Computes the same sum slowly. */
function sumOf(text: string, isLeftOut: (name: string, isText: boolean) => boolean): number {
  let sum = 0;
  for (const { key, value, end } of membersOf(text)) {
    if (!isLeftOut(key, text[value] === '"'))
      sum += hashMember(hashText(key), hashValue(text, value, end, text.includes('\\')));
  }
  return sum;
}

test('the fast sum of members equals the one that looks at each member, for any object', () => {
  const random = randomFrom(7);
  let isEscaped = false;
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)] as T;
  const space = (): string => pick(['', '', '', ' ', '\t', '  ']);
  const name = (): string =>
    pick([
      'uuid',
      'url',
      'a',
      '',
      'ä',
      'run',
      '😀',
      'x'.repeat(31),
      'y'.repeat(40),
      'urk',
      ...(isEscaped ? ESCAPED : []),
    ]);
  const value = (depth = 0): string => {
    const plain = [
      '0',
      '-1.10',
      '1e3',
      'true',
      'null',
      '""',
      '"a,b"',
      '"é"',
      '"{"',
      '"1"',
      '"😀 long enough to be hashed"',
    ];
    if (isEscaped) plain.push('"\\""', '"\\\\"', '"a\\t\\u00e9"');
    if (depth > 2 || random() < 0.8) return pick(plain);
    const items = Array.from({ length: Math.floor(random() * 3) }, () => value(depth + 1));
    if (random() < 0.5) return `[${items.join(`${space()},${space()}`)}]`;
    return `{${items.map((item) => `"${name()}"${space()}:${space()}${item}`).join(',')}}`;
  };
  const names = ['uuid', 'url', 'x'.repeat(31)];
  const isLeftOut = (key: string, isText: boolean): boolean =>
    key === 'uuid' || (isText && names.includes(key));
  for (let i = 0; i < 5000; i++) {
    isEscaped = i % 2 === 1;
    const members = Array.from(
      { length: Math.floor(random() * 6) },
      () => `${space()}"${name()}"${space()}:${space()}${value()}${space()}`,
    );
    const text = `{${members.join(',')}${members.length === 0 ? space() : ''}}`;
    expect(sumOfMembers(text, lengthsOf(names), isLeftOut), text).toBe(sumOf(text, isLeftOut));
  }
});
