import { expect, test } from 'vitest';
import { lineOf, type View, wordsOf } from '../../../src/cli/progress/progress-line.ts';

const view: View = {
  progress: {
    through: 12_400,
    counts: [
      { count: 12_345, words: 'saved' },
      { count: 55, words: 'failed', isFailure: true },
      { count: 0, words: 'already there' },
    ],
  },
  speed: { rate: 1030, stall: undefined },
  total: 20_000,
};
const plain = { columns: 200, colours: false };
const moving = (rate: number): View => ({ ...view, speed: { rate, stall: undefined } });

test('a log line shows counts, percentage, rate and time left', () => {
  expect(wordsOf(view)).toBe('12,345 saved, 55 failed, 62% of 20,000, 1,030/s, 7s left');
});

test('a wide terminal shows a progress bar too', () => {
  expect(lineOf('task-save', view, plain)).toBe(
    'task-save: [==================>           ] 62%, 12,345 saved, 55 failed, 1,030/s, 7s left',
  );
});

test('the line fits the terminal, and the first count is dropped last', () => {
  for (let columns = 1; columns <= 120; columns++) {
    const line = lineOf('task-save', view, { columns, colours: false });
    expect(line.length).toBeLessThanOrEqual(columns);
    expect(line.includes('12,345 saved')).toBe(columns >= '12,345 saved'.length);
    const coloured = lineOf('task-save', view, { columns, colours: true });
    expect(coloured.replaceAll(/\x1b\[\d+m/g, '')).toBe(line);
  }
  expect(lineOf('task-save', view, { columns: 19, colours: false })).toBe('62%, 12,345 saved');
});

test('only failures are coloured', () => {
  const line = lineOf('task-save', view, { columns: 60, colours: true });
  expect(line.match(/\x1b\[\d+m[^\x1b]*/g)).toEqual([
    '\x1b[31m55 failed',
    expect.stringMatching(/^\x1b\[39m/),
  ]);
});

test('a count over the total hides the percentage', () => {
  expect(wordsOf({ ...view, total: 12_000 })).toBe('12,345 saved, 55 failed, 1,030/s');
  expect(wordsOf({ ...view, total: 12_400 })).toContain('100% of 12,400');
});

test('a stall shows its duration and no time left', () => {
  expect(wordsOf({ ...view, speed: { rate: 0, stall: 75_000 } })).toMatch(
    /62% of 20,000, 0\/s, nothing for 1m 15s$/,
  );
});

test('rates under one a second are shown per minute or per hour', () => {
  const rates = [123_456.7, 42.4, 9.96, 2.04, 0.5, 0.025, 0.001].map((rate) =>
    wordsOf({ ...moving(rate), total: undefined })
      .split(', ')
      .at(-1),
  );
  expect(rates).toEqual(['123,457/s', '42/s', '10/s', '2/s', '30/m', '1.5/m', '3.6/h']);
});

test('time left has at most two units, and is left out if it is too long', () => {
  const left = [7600 / 45, 7600 / 125, 7600 / 7390, 7600 / 273_700, 7600 / 1e8].map((rate) =>
    wordsOf(moving(rate)).split(', ').at(-1),
  );
  expect(left).toEqual(['45s left', '2m 05s left', '2h 03m left', '3d 04h left', '0.3/h']);
});

test('a share that the stage reports needs no total', () => {
  const progress = { ...view.progress, share: 0.25 };
  expect(wordsOf({ progress, speed: view.speed })).toBe('12,345 saved, 55 failed, 25%, 1,030/s, 36s left');
});

test('bytes per second are shown beside the rate, and while no task ends', () => {
  const flow = { rate: 12.34 * 1_048_576, stall: undefined };
  expect(wordsOf({ ...view, flow })).toMatch(/1,030\/s, 12 MB\/s, 7s left$/);
  const speed = { rate: 0, stall: 75_000 };
  expect(wordsOf({ ...view, speed, flow })).toMatch(/0\/s, 12 MB\/s$/);
  expect(wordsOf({ ...view, speed, flow: speed })).toMatch(/0\/s, nothing for 1m 15s$/);
});
