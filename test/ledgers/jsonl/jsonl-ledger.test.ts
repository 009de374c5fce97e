import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Ledger, openLedger } from '../../../src/ledgers/index.ts';
import { freshFolder } from '../../support/run.ts';

const A = '6ba7b811-9dad-11d1-80b4-00c04fd430c8';
const B = '6ba7b812-9dad-11d1-80b4-00c04fd430c8';
const AT = '2026-11-21T11:11:08.123Z';

function at(folder: string): { path: string; ledger: Ledger } {
  const path = join(folder, 'done.jsonl');
  return { path, ledger: openLedger(path, () => {}) };
}

async function names(ledger: Ledger): Promise<string[]> {
  const all: string[] = [];
  for await (const batch of ledger.list()) all.push(...batch);
  return all.sort();
}

async function write(
  ledger: Ledger,
  ...entries: { uuid: string; undone?: true; end?: number }[]
): Promise<void> {
  const writer = await ledger.open();
  await writer.append(entries, true);
  await writer.close();
}

describe('a ledger in a file', () => {
  test('is empty if the file does not exist', async () => {
    const { ledger, path } = at(freshFolder());
    expect((await ledger.finished()).size).toBe(0);
    expect(await names(ledger)).toEqual([]);
    expect(existsSync(path)).toBe(false);
  });

  test('has marked uuids until they are unmarked: the last line counts', async () => {
    const { ledger } = at(freshFolder());
    await write(ledger, { uuid: A }, { uuid: 'any "id" \\ é' }, { uuid: B });
    await write(ledger, { uuid: A, undone: true });
    await write(ledger, { uuid: B, undone: true }, { uuid: B });
    expect(await names(ledger)).toEqual([B, 'any "id" \\ é']);
    expect(await ledger.check(() => {})).toEqual({ lines: 6, bad: 0, finished: 2, undone: 1 });
  });

  test('ends a torn line before it appends its own', async () => {
    const { ledger, path } = at(freshFolder());
    writeFileSync(path, `{"uuid":"${A}","at":"2026-11-2`);
    await write(ledger, { uuid: B });
    expect(await names(ledger)).toEqual([B]);
    const faults: string[] = [];
    const condition = await ledger.check((line, message) => faults.push(`${line}: ${message}`));
    expect(faults).toEqual(['1: torn, or not JSON']);
    expect(condition).toEqual({ lines: 2, bad: 1, finished: 1, undone: 0 });
  });

  test('accepts a complete last line without its newline', async () => {
    const { ledger, path } = at(freshFolder());
    writeFileSync(path, `{"uuid":"${A}","at":"${AT}"}`);
    expect(await names(ledger)).toEqual([A]);
  });

  test('reports the number of each line that is not a ledger line', async () => {
    const { ledger, path } = at(freshFolder());
    const lines = [`{"uuid":"${A}"}`, '', '[1]', '{"uuid":7}', 'null', '{"id":"x"}', `{"uuid":"${B}"}`];
    writeFileSync(path, Buffer.concat([Buffer.from(`${lines.join('\n')}\n`), Buffer.of(0xff, 10, 0, 0, 10)]));
    const faults: number[] = [];
    await ledger.check((line) => faults.push(line));
    expect(faults).toEqual([3, 4, 5, 6, 8, 9]);
    expect(await names(ledger)).toEqual([A, B]);
  });

  test('skips a line longer than its buffer and reads the next ones', async () => {
    const { ledger, path } = at(freshFolder());
    writeFileSync(
      path,
      `{"uuid":"${A}"}\n{"uuid":"${'x'.repeat(3_000_000)}"}\n{"uuid":"${B}","at":"${AT}"}\n`,
    );
    expect(await names(ledger)).toEqual([A, B]);
    expect((await ledger.check(() => {})).bad).toBe(1);
  });

  test('returns the end and the rows of each output separately', async () => {
    const folder = freshFolder();
    const { ledger } = at(folder);
    const here = await ledger.open(join(folder, 'out.csv'));
    const there = await ledger.open(join(folder, 'other.csv'));
    await here.know(0, true);
    await here.append(
      [
        { uuid: A, end: 70 },
        { uuid: 'x', end: 120 },
      ],
      true,
    );
    await there.append([{ uuid: B, end: 900 }], true);
    await write(ledger, { uuid: 'x', undone: true });
    const history = await ledger.history(join(folder, '.', 'out.csv'));
    expect(history.end).toBe(120);
    expect([A, 'x', B].map((uuid) => history.saved.has(uuid))).toEqual([true, true, false]);
    expect([A, 'x', B].map((uuid) => history.undone.has(uuid))).toEqual([false, true, false]);
    expect((await ledger.history(join(folder, 'none.csv'))).end).toBeUndefined();
    await here.close();
    await there.close();
  });

  test('cut or damaged at any byte, has exactly the uuids that JSON.parse finds; it may be rejected if there are none', async () => {
    const { ledger, path } = at(freshFolder());
    const id = fc.oneof(
      fc.uuid(),
      fc.constantFrom(A, B, 'a', ' ', ' a', '"', '\\', 'é', A.toUpperCase(), `${A}x`),
    );
    const tail = fc.constantFrom(
      `,"at":"${AT}"`,
      `,"at":"${AT}","out":"o.csv","end":12`,
      ',"undone":true',
      '',
    );
    const line = fc
      .tuple(id, tail, fc.option(fc.tuple(fc.nat(150), fc.constantFrom(0, 10, 34, 92, 125, 255))))
      .map(([uuid, more, damage]) => {
        const bytes = Buffer.from(`{"uuid":${JSON.stringify(uuid)}${more}}\n`);
        if (damage !== null && damage[0] < bytes.length) bytes[damage[0]] = damage[1];
        return bytes;
      });
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 12 }), fc.nat(40), async (lines, cut) => {
        const all = Buffer.concat(lines);
        const bytes = all.subarray(0, Math.max(0, all.length - cut));
        writeFileSync(path, bytes);
        const found = await names(ledger).catch((error) => {
          expect(error).toMatchObject({ code: 'DATA' });
          return [];
        });
        expect(found).toEqual(byJson(bytes));
      }),
      { numRuns: 300 },
    );
  });
});

/** Returns the finished uuids by a plain reading of the format. */
function byJson(bytes: Buffer): string[] {
  const finished = new Set<string>();
  let from = 0;
  for (let i = 0; i <= bytes.length; i++) {
    if (i < bytes.length && bytes[i] !== 10) continue;
    try {
      const { uuid, undone } = JSON.parse(
        new TextDecoder('utf-8', { fatal: true }).decode(bytes.subarray(from, i)),
      );
      const isId = typeof uuid === 'string' && uuid.trim() !== '' && !/\p{Cc}/u.test(uuid);
      if (isId && undone === true) finished.delete(uuid);
      else if (isId) finished.add(uuid);
    } catch {
      // torn or foreign
    }
    from = i + 1;
  }
  return [...finished].sort();
}

describe('compaction', () => {
  test('leaves one line per uuid, and drops undone, torn and foreign lines', async () => {
    const { ledger, path } = at(freshFolder());
    await write(ledger, { uuid: A }, { uuid: B }, { uuid: A });
    await write(ledger, { uuid: B, undone: true });
    appendFileSync(path, '{"uuid":"torn\nforeign\n');
    expect(await ledger.compact()).toEqual({ before: 6, after: 1 });
    expect(JSON.parse(readFileSync(path, 'utf8')).uuid).toBe(A);
  });

  test('does not change what readers see', async () => {
    const outs = [undefined, 'a.csv', 'b.csv'] as const;
    const step = fc.record({
      uuid: fc.constantFrom(A, B, 'c'),
      out: fc.constantFrom(...outs),
      kind: fc.constantFrom('row', 'row', 'undone', 'gone', 'seal'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
        const folder = freshFolder();
        const { ledger } = at(folder);
        let end = 0;
        for (const { uuid, out, kind } of steps) {
          const writer = await ledger.open(out === undefined ? undefined : join(folder, out));
          end += kind === 'gone' ? -20 : 10; // an output may become shorter
          if (kind === 'seal') {
            const seal = { stamp: `stamp ${end}`, rows: end, hasUuid: end % 20 === 0 };
            if (out !== undefined) await writer.know(Math.max(0, end), false, seal);
          } else if (kind === 'row') {
            await writer.append([out === undefined ? { uuid } : { uuid, end: Math.max(0, end) }], false);
          } else {
            const isGone = kind === 'gone' && out !== undefined;
            await writer.append(
              [isGone ? { uuid, undone: true, gone: true } : { uuid, undone: true }],
              false,
            );
          }
          await writer.close();
        }
        const told = async (): Promise<unknown> => {
          const finished = await names(ledger);
          const histories = await Promise.all(
            outs.slice(1).map((out) => ledger.history(join(folder, out as string))),
          );
          return {
            finished,
            histories: histories.map(({ end: known, saved, undone, isSealed, seal }) => ({
              known,
              seal: isSealed && seal,
              saved: [A, B, 'c'].map((uuid) => saved.has(uuid)),
              // The undone state matters only for a uuid that has a row.
              undone: [A, B, 'c'].map((uuid) => saved.has(uuid) && undone.has(uuid)),
            })),
          };
        };
        const before = await told();
        await ledger.compact();
        expect(await told()).toEqual(before);
      }),
      { numRuns: 60 },
    );
  });

  test.each(['compact', 'clear'] as const)('%s is rejected while a writer is open', async (verb) => {
    const { ledger, path } = at(freshFolder());
    const writer = await ledger.open();
    await writer.append([{ uuid: A }], false);
    await expect(ledger[verb]()).rejects.toMatchObject({ code: 'LOCKED' });
    await writer.close();
    await ledger[verb]();
    expect((await ledger.finished()).size).toBe(verb === 'clear' ? 0 : 1);
    expect(existsSync(`${path}.new`)).toBe(false);
  });
});
