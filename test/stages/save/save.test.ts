import {
  appendFileSync,
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parseTask } from '../../../src/core/record/ndjson.ts';
import type { Task } from '../../../src/core/record/task.ts';
import { finishedIn, openLedger } from '../../../src/ledgers/index.ts';
import { type SaveOptions, type SaveSummary, save } from '../../../src/stages/save/save.ts';
import { leaveMark } from '../../support/mark.ts';
import { freshFolder } from '../../support/run.ts';

type Json = Readonly<Record<string, unknown>>;

async function* tasksOf(records: readonly (Json | string)[]): AsyncGenerator<Task[]> {
  yield records.map(
    (record) => parseTask(typeof record === 'string' ? record : JSON.stringify(record)) as Task,
  );
}

/** Makes a saver in a folder. `said` collects its messages. */
function saver(folder: string, out = 'out.csv') {
  const path = join(folder, out);
  const said: string[] = [];
  const say = (message: string): void => void said.push(message.replaceAll(folder, ''));
  return {
    path,
    said,
    save: (records: readonly (Json | string)[], options: SaveOptions = {}): Promise<SaveSummary> =>
      save(tasksOf(records), path, { warn: say, info: say, ...options }),
    text: () => readFileSync(path, 'utf8'),
    rest: () => (existsSync(`${path}.rest.ndjson`) ? readFileSync(`${path}.rest.ndjson`, 'utf8') : undefined),
    torn: () =>
      readdirSync(folder)
        .filter((name) => name.includes('.torn-'))
        .map((name) => readFileSync(join(folder, name), 'utf8')),
  };
}

const done = { state: 'SUCCESS', as: 'result', attempts: 1, at: 'x', ms: 1 };
const failed = { ...done, state: 'FAILURE', error: { code: 'E', message: 'no' } };

describe('the output and the rest file', () => {
  test('hold the successes, and all other records', async () => {
    const out = saver(freshFolder());
    const summary = await out.save([
      { uuid: 'a', x: 1 },
      { x: 2, uuid: 'b', result: { n: 1 }, run: failed },
      { uuid: 'c', run: { ...done, state: 'PENDING' } },
      { uuid: 'a', x: 3 },
    ]);
    expect(out.text()).toBe('uuid,x\na,1\n');
    expect(
      out
        .rest()
        ?.split('\n')
        .map((line) => line && JSON.parse(line).uuid),
    ).toEqual(['b', 'c', '']);
    expect(summary).toMatchObject({ read: 4, saved: 1, present: 1, rest: 2, failed: 1, pending: 1 });
  });

  test('a record leaves the rest file once it is saved, and an empty rest file is removed', async () => {
    const out = saver(freshFolder());
    await out.save([
      { uuid: 'a', run: failed },
      { uuid: 'b', run: failed },
    ]);
    expect(await out.save([{ uuid: 'a', run: failed, x: 1 }, { uuid: 'a' }])).toMatchObject({
      saved: 1,
      rest: 0,
    });
    expect(out.rest()).toBe(`${JSON.stringify({ uuid: 'b', run: failed })}\n`);
    await out.save([{ uuid: 'b' }]);
    expect(out.rest()).toBeUndefined();
    expect(readdirSync(join(out.path, '..'))).toEqual(['out.csv']);
  });

  test('the rest file has the newest record of each uuid', async () => {
    const out = saver(freshFolder());
    await out.save([
      { uuid: 'a', n: 1, run: failed },
      { uuid: 'b', n: 1, run: failed },
    ]);
    await out.save([
      { uuid: 'a', n: 2, run: failed },
      { uuid: 'a', n: 3, run: failed },
    ]);
    const records = out
      .rest()
      ?.trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(records?.map(({ uuid, n }) => [uuid, n])).toEqual([
      ['b', 1],
      ['a', 3],
    ]);
  });

  test('the rest records of a killed run are merged at the next start', async () => {
    const out = saver(freshFolder());
    writeFileSync(`${out.path}.rest.ndjson.run`, '{"uuid":"a","run":{"state":"FAILURE"}}\n{"uuid":"b","ru');
    await out.save([]);
    expect(out.rest()).toBe('{"uuid":"a","run":{"state":"FAILURE"}}\n');
    expect(existsSync(`${out.path}.rest.ndjson.run`)).toBe(false);
  });

  test.each([0o600, 0o664])(
    'a rest file that is a link stays one and keeps the permissions %o',
    async (mode) => {
      const folder = freshFolder();
      const rest = join(folder, 'rest.ndjson');
      mkdirSync(join(folder, 'there'));
      symlinkSync('there/real.ndjson', rest);
      writeFileSync(rest, '');
      chmodSync(rest, mode);
      const modes: (number | undefined)[] = [];
      const tee = async (): Promise<void> => {
        modes.push(statSync(join(folder, 'there/real.ndjson.run')).mode & 0o777 & ~mode);
      };
      const out = saver(folder);
      const { restFile } = await out.save([{ uuid: 'a', run: failed }], { rest, tee });
      expect(restFile).toBe(rest);
      expect(modes).toEqual([0]);
      expect(lstatSync(rest).isSymbolicLink()).toBe(true);
      expect(statSync(rest).mode & 0o777).toBe(mode);
      expect(readFileSync(rest, 'utf8')).toContain('"a"');
      await out.save([{ uuid: 'a' }], { rest });
      expect(readdirSync(join(folder, 'there'))).toEqual([]);
      await out.save([{ uuid: 'b', run: failed }], { rest });
      expect(readFileSync(join(folder, 'there/real.ndjson'), 'utf8')).toContain('"b"');
      expect(lstatSync(rest).isSymbolicLink()).toBe(true);
    },
  );

  test('a rest file of only foreign lines keeps them', async () => {
    const out = saver(freshFolder());
    writeFileSync(`${out.path}.rest.ndjson`, 'not mine\n');
    await out.save([{ uuid: 'a' }]);
    expect(out.rest()).toBe('not mine\n');
  });

  test('an invalid error in a successful run is ignored', async () => {
    const out = saver(freshFolder());
    for (const [i, error] of [null, 5, 'E', [], {}].entries())
      expect(await out.save([{ uuid: `${i}`, run: { ...done, error } }])).toMatchObject({ saved: 1 });
  });

  test('--all saves failures with error columns from the start, but not PENDING records', async () => {
    const out = saver(freshFolder());
    const pending = { uuid: 'c', run: { ...done, state: 'PENDING' } };
    const summary = await out.save([{ uuid: 'a', run: done }, { uuid: 'b', run: failed }, pending], {
      all: true,
    });
    expect(out.text()).toBe(
      'uuid,run.state,run.as,run.attempts,run.at,run.ms,run.error.code,run.error.message\n' +
        'a,SUCCESS,result,1,x,1,,\nb,FAILURE,result,1,x,1,E,no\n',
    );
    expect(out.rest()).toBe(`${JSON.stringify(pending)}\n`);
    expect(summary).toMatchObject({ saved: 2, failed: 1, pending: 1, unfinished: 1, rest: 1 });
  });
});

describe('columns', () => {
  test('a record with an attribute that has no column goes to the rest file, with its result', async () => {
    const out = saver(freshFolder());
    const line =
      '{"uuid":"b","x":1.10,"y":2,"result":{"n":1.0},"run":{"state":"SUCCESS","as":"result","attempts":1,"at":"t","ms":5}}';
    const summary = await out.save([{ uuid: 'a', x: 1, run: done }, line]);
    expect(out.text().split('\n')).toHaveLength(3);
    expect(out.rest()).toMatch(/^\{"uuid":"b","x":1\.10,"y":2,"result":\{"n":1\.0\},"run":/);
    const { run } = JSON.parse(out.rest() ?? '');
    expect(run).toMatchObject({ state: 'FAILURE', as: 'result', error: { code: 'COLUMNS' } });
    expect(run.error.message).toMatch(/no column for "y", "result.n"; --widen/);
    expect(summary).toMatchObject({ saved: 1, misfits: 1, rest: 1, failed: 0 });
  });

  test('--widen adds missing columns and keeps every row', async () => {
    const out = saver(freshFolder());
    await out.save(
      [
        { uuid: 'a', t: 'two\nlines, "q"' },
        { uuid: 'b', y: { z: 2 } },
        { uuid: 'c', t: 1, w: 3 },
      ],
      { widen: true },
    );
    expect(out.text()).toBe('uuid,t,y.z,w\na,"two\nlines, ""q""",,\nb,,2,\nc,1,,3\n');
    expect(out.rest()).toBeUndefined();
  });

  test('--widen does not add a column twice for two attributes of one path', async () => {
    const out = saver(freshFolder());
    const twice = '{"uuid":"b","a.b":1,"a":{"b":2}}';
    expect(await out.save([twice, { uuid: 'c', x: 1 }], { widen: true })).toMatchObject({
      saved: 1,
      misfits: 1,
    });
    expect(out.text()).toBe('uuid,a.b,x\nc,,1\n');
    expect(await out.save([{ uuid: 'd', x: 2 }])).toMatchObject({ saved: 1 });
  });

  test('--widen adds no column for a record that gets no row', async () => {
    const out = saver(freshFolder());
    await out.save(
      [{ uuid: 'a' }, { uuid: 'b', x: 1 }, { uuid: 'a', y: 1 }, { uuid: 'c', z: 1, run: failed }],
      { widen: true },
    );
    expect(out.text()).toBe('uuid,x\na,\nb,1\n');
  });

  test('--fields selects columns and drops other attributes without an error', async () => {
    const out = saver(freshFolder());
    const fields = ['result.n', 'uuid', 'none'];
    const summary = await out.save([{ uuid: 'a', x: [1], result: { n: 1, m: 2 }, run: done }], { fields });
    expect(out.text()).toBe('result.n,uuid,none\n1,a,\n');
    expect(summary.misfits).toBe(0);
  });

  test('--fields that an existing header lacks are an error, and --widen adds them', async () => {
    const out = saver(freshFolder());
    writeFileSync(out.path, 'uuid,x\na,1\n');
    await expect(out.save([], { fields: ['uuid', 'y'] })).rejects.toThrow(/has no y; --widen adds them/);
    await out.save([{ uuid: 'b', y: 2 }], { fields: ['uuid', 'y'], widen: true });
    expect(out.text()).toBe('uuid,x,y\na,1,\nb,,2\n');
  });

  test('an existing header keeps its order, its line ends and its byte order mark', async () => {
    const out = saver(freshFolder());
    writeFileSync(out.path, '\ufeffx,"uu""id",uuid\r\n1,,a\r\n');
    await out.save([
      { uuid: 'a', x: 9 },
      { uuid: 'b', x: 2 },
    ]);
    expect(out.text()).toBe('\ufeffx,"uu""id",uuid\r\n1,,a\r\n2,,b\r\n');
  });

  test('TSV escapes tabs and quotes nothing', async () => {
    const out = saver(freshFolder(), 'out.tsv');
    await out.save([{ uuid: 'a', x: 'b\tc', y: 'd,e' }]);
    expect(out.text()).toBe('uuid\tx\ty\na\tb\\tc\td,e\n');
  });

  test('a single empty cell makes a row, which is found again', async () => {
    const out = saver(freshFolder());
    await out.save([{ uuid: 'a' }, { uuid: 'b', x: 1 }], { fields: ['x'] });
    expect(out.text()).toBe('x\n""\n1\n');
    await out.save([{ uuid: 'c', x: 2 }], { fields: ['x'] });
    expect(out.text()).toBe('x\n""\n1\n2\n');
  });

  test('--escape-formulas escapes cells but not numbers', async () => {
    const out = saver(freshFolder());
    const cells = ['=1+1', '+49', '-1.5', '-x', '@a', '\tb', 'c=d'];
    await out.save([Object.fromEntries([['uuid', 'a'], ...cells.map((cell, i) => [`c${i}`, cell])])], {
      escapeFormulas: true,
    });
    expect(out.text().split('\n')[1]).toBe("a,'=1+1,'+49,-1.5,'-x,'@a,'\tb,c=d");
  });

  test('--escape-formulas keeps uuids, so a task is saved once', async () => {
    const out = saver(freshFolder());
    const tasks = [{ uuid: '@handle', x: '@handle' }];
    await out.save(tasks, { escapeFormulas: true });
    expect(await out.save(tasks, { escapeFormulas: true })).toMatchObject({ saved: 0, present: 1 });
    expect(out.text()).toBe("uuid,x\n@handle,'@handle\n");
  });

  test('--escape-formulas escapes column names and recognizes them again', async () => {
    const out = saver(freshFolder());
    const options = { escapeFormulas: true, widen: true };
    await out.save([{ uuid: 'a', '=1+1': 1, '-2': 2, "'s": 3 }], options);
    await out.save([{ uuid: 'b', '=1+1': 4, '+x': 5 }], options);
    expect(out.text()).toBe("uuid,'=1+1,-2,'s,'+x\na,1,2,3,\nb,4,,,5\n");
    expect(await out.save([{ uuid: 'c', '=1+1': 6, "'s": 7 }], { escapeFormulas: true })).toMatchObject({
      saved: 1,
    });
  });

  test('a name that no header can hold gets no column, with or without --widen', async () => {
    const out = saver(freshFolder());
    const odd = ['{"uuid":"a","x\\u0000":1}', '{"uuid":"b","\\ud800":1}'];
    expect(await out.save([...odd, { uuid: 'c', x: 1 }])).toMatchObject({ saved: 1, misfits: 2 });
    expect(await out.save(odd, { widen: true })).toMatchObject({ saved: 0, misfits: 2 });
    expect(out.text()).toBe('uuid,x\nc,1\n');
    expect(out.rest()?.match(/"code":"VALUE"/g)).toHaveLength(2);
  });

  test('a record that lacks 100,000 columns gets a short message', async () => {
    const out = saver(freshFolder());
    const wide = Object.fromEntries(Array.from({ length: 100_000 }, (_, i) => [`column ${i}`, 1]));
    expect(await out.save([{ uuid: 'a' }, { uuid: 'b', ...wide }])).toMatchObject({ saved: 1, misfits: 1 });
    const { message } = JSON.parse(out.rest() as string).run.error;
    expect(message).toMatch(/"column 19", and 99980 more; --widen/);
  });

  test('a value that no row can hold goes to the rest file', async () => {
    const out = saver(freshFolder());
    await out.save([{ uuid: 'a', x: 'ok' }, '{"uuid":"b","x":"\\u0000"}', '{"uuid":"c","x":"\\ud800"}']);
    expect(out.text()).toBe('uuid,x\na,ok\n');
    const codes = out
      .rest()
      ?.trim()
      .split('\n')
      .map((line) => JSON.parse(line).run.error.code);
    expect(codes).toEqual(['VALUE', 'VALUE']);
  });

  test('NDJSON keeps the bytes of records, and with --fields those of values', async () => {
    const out = saver(freshFolder(), 'out.ndjson');
    const line = '{"uuid":"a", "n":1.10,"o":{"p":[1.0, 2],"q.r":3},"big":12345678901234567890}';
    await out.save([line]);
    expect(out.text()).toBe(`${line}\n`);
    const other = saver(freshFolder(), 'out.jsonl');
    await other.save([line], { fields: ['uuid', 'o.p', 'o.q.r', 'none', 'n'] });
    expect(other.text()).toBe('{"uuid":"a","o.p":[1.0,2],"o.q.r":3,"n":1.10}\n');
  });
});

describe('a repeated save', () => {
  test.each(['out.csv', 'out.ndjson'])(
    'adds no second row for a uuid to %s, with or without a ledger',
    async (name) => {
      const out = saver(freshFolder(), name);
      const ledger = join(out.path, '../done.jsonl');
      await out.save([{ uuid: 'a' }, { uuid: 'é "b"' }]);
      expect(await out.save([{ uuid: 'é "b"' }, { uuid: 'c' }])).toMatchObject({ saved: 1, present: 1 });
      expect(await out.save([{ uuid: 'a' }, { uuid: 'd' }], { ledger })).toMatchObject({
        saved: 1,
        present: 1,
      });
      expect(await out.save([{ uuid: 'd' }, { uuid: 'c' }], { ledger })).toMatchObject({
        saved: 0,
        present: 2,
      });
      expect((await openLedger(ledger, () => {}).finished()).size).toBe(4);
    },
  );

  test('marks an unmarked uuid again with the row that exists', async () => {
    const out = saver(freshFolder());
    const ledger = join(out.path, '../done.jsonl');
    await out.save([{ uuid: 'a' }], { ledger });
    const writer = await openLedger(ledger, () => {}).open();
    await writer.append([{ uuid: 'a', undone: true }], true);
    await writer.close();
    expect(await out.save([{ uuid: 'a' }, { uuid: 'a' }], { ledger })).toMatchObject({
      saved: 0,
      present: 2,
    });
    expect((await openLedger(ledger, () => {}).finished()).has('a')).toBe(true);
    expect(out.text()).toBe('uuid\na\n');
  });

  test('without a uuid column and a ledger warns that it cannot detect repeats', async () => {
    const out = saver(freshFolder());
    await out.save(
      [
        { uuid: 'a', x: 1 },
        { uuid: 'a', x: 1 },
      ],
      { fields: ['x'] },
    );
    expect(out.text()).toBe('x\n1\n');
    expect(out.said).toEqual([expect.stringContaining('has no uuid column')]);
  });

  test('replaces the old file with --overwrite', async () => {
    const out = saver(freshFolder());
    await out.save([{ uuid: 'a', x: 1 }]);
    await out.save([{ y: 2, uuid: 'a' }], { overwrite: true });
    expect(out.text()).toBe('uuid,y\na,2\n');
    expect(readdirSync(join(out.path, '..'))).toEqual(['out.csv']);
  });

  test('keeps the old file with --overwrite if the run is stopped, and says so', async () => {
    const out = saver(freshFolder());
    await out.save([{ uuid: 'a' }]);
    await out.save([{ uuid: 'b' }], { overwrite: true, stopped: AbortSignal.abort() });
    expect(out.text()).toBe('uuid\na\n');
    expect(out.said).toEqual(['stopped: /out.csv is unchanged, and the new rows are in /out.csv.new']);
  });

  test.each([
    [{ overwrite: true, ledger: 'l' }, /--overwrite cannot be used with --ledger/],
    [{ overwrite: true, tee: async () => {} }, /--overwrite cannot be used with --tee/],
  ])('rejects %o', async (options, words) => {
    await expect(saver(freshFolder()).save([], options)).rejects.toThrow(words);
  });

  test('rejects one file for two uses by any path, and changes nothing', async () => {
    const folder = freshFolder();
    const at = (name: string): string => join(folder, name);
    writeFileSync(at('out.csv'), 'uuid\na\n');
    symlinkSync('out.csv', at('link'));
    symlinkSync('.', at('here'));
    const wrong: readonly SaveOptions[] = [
      { rest: at('out.csv') },
      { rest: at('link') },
      { rest: at('here/out.csv') },
      { rest: at('out.csv.new') },
      { ledger: at('here/out.csv') },
      { ledger: at('out.csv.rest.ndjson') },
      { rejects: at('link') },
      { rejects: at('out.csv.rest.ndjson.run') },
      { ledger: at('new.jsonl'), rejects: at('here/new.jsonl') },
      { ledger: at('no/new'), rejects: at('no/../no/new') },
    ];
    for (const options of wrong) {
      const saved = save(tasksOf([{ uuid: 'b' }]), at('out.csv'), options);
      await expect(saved, JSON.stringify(options)).rejects.toMatchObject({ code: 'USAGE' });
    }
    expect(readdirSync(folder).sort()).toEqual(['here', 'link', 'out.csv']);
    expect(readFileSync(at('out.csv'), 'utf8')).toBe('uuid\na\n');
  });

  test('rejects an output in use by another task-save, and one that is not a file', async () => {
    const folder = freshFolder();
    const out = saver(folder);
    let release: () => void = () => {};
    const slow = (async function* () {
      yield [parseTask('{"uuid":"a"}') as Task];
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    })();
    const first = save(slow, out.path, { flush: 1 });
    while (!existsSync(out.path) || statSync(out.path).size === 0) await new Promise(setImmediate);
    for (const options of [{}, { overwrite: true }]) {
      await expect(out.save([], options)).rejects.toThrow(/out.csv is being written by another task-save/);
    }
    release();
    await first;
    await expect(save(tasksOf([]), folder, { format: 'csv' })).rejects.toThrow(/not a file/);
  });
});

describe('recovery after a crash', () => {
  /** Makes an output of two rows with a ledger, and appends the remains of a crash. */
  async function crashed(name: string, tail: string | Buffer) {
    const out = saver(freshFolder(), name);
    const ledger = join(out.path, '../done.jsonl');
    await out.save(
      [
        { uuid: 'a', x: 'é' },
        { uuid: 'b', x: 'y' },
      ],
      { ledger },
    );
    if (tail.length > 0) leaveMark(out.path);
    appendFileSync(out.path, tail);
    return { out, ledger };
  }

  test.each([
    ['no line end', 'out.csv', 'c,3'],
    ['an open quote', 'out.csv', 'c,"3\nd,4\n'],
    ['too few cells', 'out.csv', 'c'],
    ['half a character', 'out.csv', Buffer.from([99, 44, 0xc3])],
    ['half an object', 'out.ndjson', '{"uuid":"c","x":'],
    ['zeros', 'out.ndjson', Buffer.alloc(5000)],
  ])('moves rows with %s aside and saves them again', async (_, name, tail) => {
    const { out, ledger } = await crashed(name, tail);
    const whole = out.text().slice(0, out.text().length - tail.toString().length);
    expect(
      await out.save(
        [
          { uuid: 'b', x: 'y' },
          { uuid: 'c', x: '3' },
        ],
        { ledger },
      ),
    ).toMatchObject({ saved: 1, present: 1 });
    expect(out.text()).toBe(`${whole}${name.endsWith('csv') ? 'c,3' : '{"uuid":"c","x":"3"}'}\n`);
    expect(out.torn()).toEqual([tail.toString()]);
    expect(out.said[0]).toContain(`${tail.length} bytes of unfinished rows were moved to /${name}.torn-`);
  });

  test.each([
    ['a NUL that is not a hole', 'c,\0\0\n', 'it has a NUL'],
    ['too few cells and a line end', 'c\n', '1 cell, the header has 2'],
    [
      'bytes that are not UTF-8',
      Buffer.from([99, 44, 0xc3, 10]),
      'it is not valid UTF-8; save the file as UTF-8',
    ],
  ])('rejects rows with %s, which no crash leaves, and keeps them', async (_, tail, words) => {
    const { out, ledger } = await crashed('out.csv', tail);
    const before = readFileSync(out.path);
    await expect(out.save([], { ledger })).rejects.toThrow(`out.csv:4: ${words}`);
    expect(readFileSync(out.path)).toEqual(before);
  });

  test.each([
    ['out.csv', 'c,3\nd,4\ne,'],
    ['out.ndjson', '{"uuid":"c"}\n{"uuid":"d"}\n{"u'],
  ])('adds whole rows of %s to the ledger that it lacks', async (name, tail) => {
    const { out, ledger } = await crashed(name, tail);
    expect(
      await out.save(
        [
          { uuid: 'c', x: 1 },
          { uuid: 'd', x: 1 },
        ],
        { ledger },
      ),
    ).toMatchObject({ saved: 0, present: 2 });
    const history = await openLedger(ledger, () => {}).history(out.path);
    expect(history.saved.size).toBe(4);
    expect(history.end).toBe(statSync(out.path).size);
  });

  test('moves rows that the ledger lacks aside if there is no uuid column', async () => {
    const out = saver(freshFolder());
    const options = { ledger: join(out.path, '../done.jsonl'), fields: ['x'] };
    await out.save([{ uuid: 'a', x: 1 }], options);
    leaveMark(out.path, false);
    appendFileSync(out.path, '2\n3\n');
    expect(
      await out.save(
        [
          { uuid: 'a', x: 1 },
          { uuid: 'b', x: 2 },
        ],
        options,
      ),
    ).toMatchObject({ saved: 1, present: 1 });
    expect(out.text()).toBe('x\n1\n2\n');
    expect(out.torn()).toEqual(['2\n3\n']);
  });

  test('starts a new output after a crash in the first batch, with or without uuids', async () => {
    for (const [fields, tail] of [
      [undefined, 'uuid,x\na,"1'],
      [['x'], 'x\n1\n'],
      [['x'], 'x,'],
    ] as const) {
      const out = saver(freshFolder());
      const options = { ledger: join(out.path, '../done.jsonl'), fields };
      leaveMark(out.path, fields === undefined);
      writeFileSync(out.path, tail);
      await out.save([{ uuid: 'a', x: 1 }], options);
      expect(out.text()).toBe(fields === undefined ? 'uuid,x\na,1\n' : 'x\n1\n');
    }
  });

  test('refuses and keeps an output without a uuid column that had rows before the ledger', async () => {
    const out = saver(freshFolder());
    writeFileSync(out.path, 'x\n1\n2\n');
    const ledger = join(out.path, '../done.jsonl');
    for (const fields of [undefined, ['x']]) {
      const saving = out.save([{ uuid: 'a', x: 3 }], { ledger, fields });
      await expect(saving).rejects.toThrow(/no uuid column and 2 rows that the ledger .* does not know/);
    }
    expect(out.text()).toBe('x\n1\n2\n');
  });

  test('finds a torn end without a ledger too', async () => {
    const out = saver(freshFolder());
    writeFileSync(out.path, 'uuid,x\n');
    leaveMark(out.path);
    appendFileSync(out.path, 'a,1\nb,"2');
    await out.save([{ uuid: 'b', x: 2 }]);
    expect(out.text()).toBe('uuid,x\na,1\nb,2\n');
    expect(out.torn()).toEqual(['b,"2']);
  });

  test.each([
    ['uuid,x\na\nb,2\n', 'out.csv:2: 1 cell, the header has 2'],
    ['uuid,x\na,"1"2\nb,2\n', 'out.csv:2: text follows a closing quote'],
  ])('rejects rows that no crash leaves (%j), and keeps them', async (text, words) => {
    const out = saver(freshFolder());
    writeFileSync(out.path, text);
    await expect(out.save([])).rejects.toThrow(words);
    expect(out.text()).toBe(text);
  });

  test('rejects an output that lacks rows of the ledger', async () => {
    const { out, ledger } = await crashed('out.csv', '');
    truncateSync(out.path, 10);
    await expect(out.save([], { ledger })).rejects.toMatchObject({
      code: 'DATA',
      message: expect.stringContaining('2 rows are missing'),
    });
    expect(statSync(out.path).size).toBe(10);
  });

  test('does not mistake rows widened without the ledger for torn ones', async () => {
    const { out, ledger } = await crashed('out.csv', '');
    await out.save([{ uuid: 'c', longer: 'z' }], { widen: true });
    expect(await out.save([{ uuid: 'a', x: 'é' }, { uuid: 'c' }, { uuid: 'd' }], { ledger })).toMatchObject({
      saved: 1,
      present: 2,
    });
    expect(out.text()).toBe('uuid,x,longer\na,é,\nb,y,\nc,,z\nd,,\n');
    expect(out.torn()).toEqual([]);
  });

  test('recognizes rows that were widened with the ledger', async () => {
    const { out, ledger } = await crashed('out.csv', '');
    await out.save([{ uuid: 'c', longer: 'z' }], { widen: true, ledger });
    leaveMark(out.path);
    appendFileSync(out.path, 'd,1');
    await out.save([{ uuid: 'a', x: 1 }], { ledger });
    expect(out.text()).toBe('uuid,x,longer\na,é,\nb,y,\nc,,z\n');
    expect(out.torn()).toEqual(['d,1']);
  });
});

describe('the commit', () => {
  test('emits records only when they are safe: rows, rest records and existing rows', async () => {
    const out = saver(freshFolder());
    const ledger = join(out.path, '../done.jsonl');
    await out.save([{ uuid: 'b' }]);
    const seen: unknown[] = [];
    const tee = async (lines: string): Promise<void> => {
      for (const line of lines.trim().split('\n')) {
        const { uuid } = JSON.parse(line);
        const rest = existsSync(`${out.path}.rest.ndjson.run`)
          ? readFileSync(`${out.path}.rest.ndjson.run`, 'utf8')
          : '';
        seen.push([
          uuid,
          out.text().includes(`\n${uuid}\n`),
          rest.includes(line),
          (await openLedger(ledger, () => {}).finished()).has(uuid),
        ]);
      }
    };
    await out.save([{ uuid: 'a' }, { uuid: 'b' }, { uuid: 'c', run: failed }], { tee, ledger, flush: 1 });
    expect(seen).toEqual([
      ['a', true, false, true],
      ['b', true, false, true],
      ['c', false, true, false],
    ]);
  });

  // A crash came between the row and its line in the ledger, or someone added the row.
  test.each(['out.csv', 'out.tsv', 'out.ndjson', 'out.db'])(
    'gets a record whose row is in %s already only when the ledger names it',
    async (name) => {
      const out = saver(freshFolder(), name);
      await out.save([{ uuid: 'a' }, { uuid: 'b' }]);
      const ledger = `${out.path}.ledger`;
      const named: boolean[] = [];
      const tee = async (lines: string): Promise<void> => {
        const finished = await finishedIn(ledger);
        for (const line of lines.trim().split('\n')) named.push(finished.has(JSON.parse(line).uuid));
      };
      await out.save([{ uuid: 'a' }, { uuid: 'b' }], { tee, ledger, flush: 1 });
      expect(named).toEqual([true, true]);
    },
  );

  test('starts when a record has waited for --flush-interval, however few there are', async () => {
    const out = saver(freshFolder());
    let release: () => void = () => {};
    const slow = (async function* () {
      yield [parseTask('{"uuid":"a"}') as Task];
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    })();
    const teed = new Promise<string>((resolve) => {
      void save(slow, out.path, { flushInterval: 20, tee: async (lines) => resolve(lines) });
    });
    expect(await teed).toBe('{"uuid":"a"}\n');
    expect(out.text()).toBe('uuid\na\n');
    release();
  });

  test('ends the run at once if it fails while no input arrives', async () => {
    const never = (async function* () {
      yield [parseTask('{"uuid":"a"}') as Task];
      await new Promise(() => {});
    })();
    const out = saver(freshFolder());
    const tampered = save(never, out.path, { flushInterval: 50 });
    while (!existsSync(out.path)) await new Promise(setImmediate);
    appendFileSync(out.path, 'another person\n');
    await expect(tampered).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringContaining('another program'),
    });
  });

  test('saves all records after their reader has left, then fails', async () => {
    const out = saver(freshFolder());
    const gone = Object.assign(new Error('gone'), { code: 'PIPE' });
    const tee = (): Promise<void> => Promise.reject(gone);
    await expect(out.save([{ uuid: 'a' }, { uuid: 'b' }, { uuid: 'c' }], { tee, flush: 1 })).rejects.toBe(
      gone,
    );
    expect(out.text()).toBe('uuid\na\nb\nc\n');
  });
});
