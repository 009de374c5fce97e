/* The log of flows, from which another process resumes a run. */
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  Engine,
  type Flow,
  type FlowLog,
  graph,
  linear,
  openFlowLog,
  task,
  times,
  unordered,
} from '../../../src/flow/index.ts';
import { compile } from '../../../src/flow/plan/compile.ts';
import { replay } from '../../../src/flow/run/snapshot.ts';
import { freshFolder } from '../../support/run.ts';

const quiet = (): void => {};

/** Runs a flow with the log, as task-exec does. */
async function runLogged(log: FlowLog, flow: Flow, uuid = 'u'): Promise<string> {
  const kept = await log.take(flow.name, uuid);
  if (kept !== undefined && 'end' in kept) return `kept ${kept.end.result}`;
  const resume = kept === undefined ? undefined : replay(compile(flow), kept.changes);
  const result = await new Engine(flow, { resume, journal: log.journal(flow.name, uuid) }).run();
  const provided = result.state === 'SUCCESS' ? JSON.stringify(result.provided) : undefined;
  await log.end(flow.name, uuid, { state: result.state, result: provided });
  return result.state;
}

/** Returns a flow that records calls: `name`, `-name` for a revert, with `*` if the call had begun before. */
function telling(calls: string[], names: readonly string[], { bad = '', retries = 0 } = {}): Flow {
  const part = (name: string): ReturnType<typeof task> =>
    task(
      name,
      (_, { isRepeated }) => {
        calls.push(`${name}${isRepeated ? '*' : ''}`);
        if (name === bad) throw new Error('bad');
        return { of: name };
      },
      {
        provides: name,
        revert: (_, { result }, { isRepeated }) =>
          void calls.push(
            `-${name}${isRepeated ? '*' : ''}${name !== bad && result === undefined ? '?' : ''}`,
          ),
      },
    );
  return linear('f', retries > 0 ? { retry: times(retries) } : {}).add(...names.map(part));
}

/** Returns the complete lines of a log. */
function linesIn(text: string): { atom?: string; state?: string; end?: string }[] {
  return text.split('\n').flatMap((line) => {
    try {
      return line === '' ? [] : [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}

/** Returns the calls that are left according to a log; the interrupted call has an asterisk. */
function leftOf(all: readonly string[], text: string): string[] {
  const lines = linesIn(text).filter(({ atom = '' }) => 'abc'.includes(atom));
  const count = (...states: string[]): number =>
    lines.filter(({ state = '' }) => states.includes(state)).length;
  const done = count('SUCCESS', 'FAILURE', 'REVERTED');
  const [first, ...rest] = all.slice(done);
  return first === undefined ? [] : [count('RUNNING', 'REVERTING') > done ? `${first}*` : first, ...rest];
}

test.each([
  ['that succeeds', {}, 1],
  ['that is reverted', { bad: 'c' }, 2],
  ['that is retried and then reverted', { bad: 'c', retries: 2 }, 5],
])(
  'a run %s and is cut off anywhere is resumed with the interrupted call, and repeats no finished one',
  async (_, options, step) => {
    const whole = join(freshFolder(), 'log');
    const all: string[] = [];
    const log = await openFlowLog(whole, quiet);
    const state = await runLogged(log, telling(all, ['a', 'b', 'c'], options));
    await log.close();
    const text = readFileSync(whole, 'utf8');
    const ends = [...text.matchAll(/\n/g)].flatMap(({ index }) => [index - 20, index, index + 1]);
    for (const cut of ends.filter((end, place) => end > 0 && place % step === 0)) {
      const path = join(freshFolder(), 'log');
      const prefix = text.slice(0, cut);
      writeFileSync(path, prefix);
      const isEnded = linesIn(prefix).some(({ end }) => end !== undefined);
      const isKept = isEnded && state === 'SUCCESS';
      const calls: string[] = [];
      // The second run checks that lines appended to a torn log can be read.
      for (let runs = 0; runs < 2; runs++) {
        const again = await openFlowLog(path, quiet);
        const ended = await runLogged(again, telling(calls, ['a', 'b', 'c'], options));
        await again.close();
        if (isKept || (runs === 1 && state === 'SUCCESS')) expect(ended).toMatch(/^kept /);
        else expect(ended).toBe(state);
      }
      const first = isKept ? [] : isEnded ? all : leftOf(all, prefix);
      expect(calls).toEqual(state === 'SUCCESS' ? first : [...first, ...all]);
    }
  },
);

test('a successful run is not repeated, and a reverted run is', async () => {
  const path = join(freshFolder(), 'log');
  const calls: string[] = [];
  for (const bad of ['', 'b']) {
    const flow = telling(calls, ['a', 'b'], { bad });
    const uuid = bad === '' ? 'good' : 'bad';
    for (let times = 0; times < 2; times++) {
      const log = await openFlowLog(path, quiet);
      const state = await runLogged(log, flow, uuid);
      const good = times === 0 ? 'SUCCESS' : 'kept {"a":{"of":"a"},"b":{"of":"b"}}';
      expect(state).toBe(uuid === 'good' ? good : 'REVERTED');
      await log.close();
    }
  }
  expect(calls).toEqual(['a', 'b', 'a', 'b', '-b', '-a', 'a', 'b', '-b', '-a']);
});

test('a result is in the log before the next call starts', async () => {
  const path = join(freshFolder(), 'log');
  const log = await openFlowLog(path, quiet);
  const seen: string[] = [];
  const look = (): void => {
    const lines = readFileSync(path, 'utf8')
      .split('\n')
      .filter((line) => line.includes('"uuid"'));
    seen.push(
      lines
        .map((line) => JSON.parse(line))
        .map(({ atom, state }) => `${atom} ${state}`)
        .join(', '),
    );
  };
  const bad = task(
    'b',
    () => {
      look();
      throw new Error('bad');
    },
    { revert: look },
  );
  await runLogged(log, linear('f').add(task('a', look), bad));
  await log.close();
  expect(seen).toEqual([
    'a RUNNING',
    'a RUNNING, a SUCCESS, b RUNNING',
    'a RUNNING, a SUCCESS, b RUNNING, b FAILURE, undefined undefined, b REVERTING',
  ]);
});

test('an interrupted atom is also reverted when another one fails', async () => {
  const path = join(freshFolder(), 'log');
  const line = (atom: string): string =>
    `${JSON.stringify({ uuid: 'u', flow: 'f', atom, state: 'RUNNING' })}\n`;
  writeFileSync(path, line('a') + line('b'));
  const calls: string[] = [];
  const part = (name: string, work: () => unknown): ReturnType<typeof task> =>
    task(name, work, { revert: (_, { failure }) => void calls.push(`-${name} ${failure?.code}`) });
  const flow = unordered('f').add(
    part('a', () => Promise.reject(new Error('bad'))),
    part('b', () => calls.push('b')),
  );
  const log = await openFlowLog(path, quiet);
  const resume = replay(compile(flow), (log.take('f', 'u') as { changes: [] }).changes);
  const engine = new Engine(flow, { engine: 'parallel', jobs: 1, resume });
  expect((await engine.run()).state).toBe('REVERTED');
  expect(calls.sort()).toEqual(['-a ERROR', '-b INTERRUPTED']);
  await log.close();
});

test('lines of other flows, torn lines and garbage are ignored', async () => {
  const path = join(freshFolder(), 'log');
  const state = (atom: string, name: string): object => ({ uuid: 'u', flow: 'f', atom, state: name });
  const lines = [
    state('a', 'RUNNING'),
    { ...state('b', 'SUCCESS'), flow: 'other' },
    { ...state('a', 'SUCCESS'), result: 1 },
  ];
  const texts = lines.map((line) => JSON.stringify(line));
  writeFileSync(
    path,
    `\n${texts[0]}\n{"uuid":"u","flow":"f","at\n\nnull\n[1]\nx\n${texts[1]}\n${texts[2]}\n{"uuid":"u","flow":"f","atom":"b","st`,
  );
  const calls: string[] = [];
  const log = await openFlowLog(path, quiet);
  expect(await runLogged(log, telling(calls, ['a', 'b']))).toBe('SUCCESS');
  expect(calls).toEqual(['b']);
  await log.close();
});

test('a log from another form of the flow is rejected', async () => {
  const path = join(freshFolder(), 'log');
  const log = await openFlowLog(path, quiet);
  await runLogged(log, telling([], ['a', 'b']));
  await log.close();
  const text = readFileSync(path, 'utf8');
  truncateSync(path, text.lastIndexOf('{'));
  const again = await openFlowLog(path, quiet);
  await expect(runLogged(again, telling([], ['a', 'c']))).rejects.toThrow(
    'the stored run does not fit the flow "f" as it is now: the flow "f" has no atom "b"',
  );
  await again.close();
});

test('a log is locked to one process, and an invalid path is an I/O error', async () => {
  const path = join(freshFolder(), 'log');
  const log = await openFlowLog(path, quiet);
  await expect(openFlowLog(path, quiet)).rejects.toMatchObject({
    code: 'LOCKED',
    message: expect.stringContaining('give each its own --flow-log'),
  });
  await log.close();
  await (await openFlowLog(path, quiet)).close();
  await expect(openFlowLog(join(path, 'no'), quiet)).rejects.toMatchObject({ code: 'IO' });
});

test('a result that is not JSON fails its atom, and the atom is reverted', async () => {
  const path = join(freshFolder(), 'log');
  const log = await openFlowLog(path, quiet);
  const calls: string[] = [];
  const flow = graph('f').add(task('a', () => 1n, { revert: () => void calls.push('-a') }));
  const result = await new Engine(flow, { journal: log.journal('f', 'u') }).run();
  expect([result.state, result.failures.a?.code, calls]).toEqual(['REVERTED', 'RESULT', ['-a']]);
  await log.close();
});

test('a log begins with its kind, even after a crash has torn that line, and other files are rejected', async () => {
  const path = join(freshFolder(), 'l');
  await (await openFlowLog(path, quiet)).close();
  const header = '{"taskpipe":"flow log","version":1}\n';
  expect(readFileSync(path, 'utf8')).toBe(header);
  truncateSync(path, 9);
  await (await openFlowLog(path, quiet)).close();
  expect(readFileSync(path, 'utf8')).toBe(header);
  for (const other of ['{"uuid":"a","at":"2026-01-01T00:00:00Z"}\n', '{"taskpipe":"ledger","version":1}\n']) {
    writeFileSync(path, other);
    await expect(openFlowLog(path, quiet)).rejects.toThrow('is not a flow log');
    expect(readFileSync(path, 'utf8')).toBe(other);
  }
});

test('a run is not repeated in the same process either', async () => {
  const log = await openFlowLog(join(freshFolder(), 'l'), quiet);
  const calls: string[] = [];
  const flow = telling(calls, ['a']);
  expect([await runLogged(log, flow), await runLogged(log, flow)]).toEqual([
    'SUCCESS',
    'kept {"a":{"of":"a"}}',
  ]);
  expect(calls).toEqual(['a']);
  await log.close();
});

test('ends of several flows that are written together are found again, also if they are not ASCII', async () => {
  const log = await openFlowLog(join(freshFolder(), 'log'), quiet);
  const ends = ['f', 'g', 'ø'].flatMap((flow) => ['1', '2', 'é'].map((uuid) => ({ flow, uuid })));
  const resultOf = ({ flow, uuid }: { flow: string; uuid: string }): string => `"ü${flow}${uuid}"`;
  await Promise.all(
    ends.map((end) => log.end(end.flow, end.uuid, { state: 'SUCCESS', result: resultOf(end) })),
  );
  for (const end of ends)
    expect(log.take(end.flow, end.uuid)).toMatchObject({ end: { result: resultOf(end) } });
  await log.close();
});
