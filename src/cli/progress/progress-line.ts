import { bytesText, number } from '../../core/base/format.ts';
import type { Progress } from '../../core/base/progress.ts';
import type { Speed } from './speedometer.ts';

/** State of a stage at one moment. */
export interface View {
  readonly progress: Progress;
  readonly speed: Speed;
  /** Speed of the bytes, if the stage writes any. */
  readonly flow?: Speed | undefined;
  /** Number of tasks to come, if known from outside. */
  readonly total?: number | undefined;
}

/** Part of the line. Parts with a low rank stay longest if the terminal is narrow. */
interface Piece {
  readonly text: string;
  readonly rank: number;
  readonly isFailure?: boolean | undefined;
}

/**
 * Length of the bar without its brackets. It grows in steps, so that it does not move when another number gets
 * longer.
 */
const BAR = { min: 10, step: 5, max: 30 };
const RED = '\x1b[31m';
const DEFAULT_COLOUR = '\x1b[39m';

/** Returns progress for a log: `12,345 saved, 3 failed, 62% of 20,000, 1,030/s, 2m 05s left`. */
export function wordsOf(view: View): string {
  const { progress, speed, total } = view;
  const share = shareOf(view);
  const all = total === undefined ? '' : ` of ${number(total)}`;
  const percent = share === undefined ? [] : [`${percentOf(share)}${all}`];
  const notes = progress.notes?.(share) ?? [];
  return [...countsOf(progress).map(({ text }) => text), ...percent, ...speedOf(speed, view), ...notes].join(
    ', ',
  );
}

/**
 * Returns progress as a line of at most `columns` characters; the least important parts are left out. The line
 * is ASCII, so a character is a column.
 */
export function lineOf(name: string, view: View, { columns, colours }: LineStyle): string {
  const share = shareOf(view);
  const pieces: Piece[] = [
    ...(share === undefined ? [] : [{ text: percentOf(share), rank: 2 }]),
    ...countsOf(view.progress),
    ...speedOf(view.speed, view).map((text, i) => ({ text, rank: 3 - i * 2 })),
    ...(view.progress.notes?.(share) ?? []).map((text, i) => ({ text, rank: 4 + i })),
  ];
  const label = `${name}: `;
  let room = columns;
  const kept = new Set<Piece>();
  for (const piece of pieces.toSorted((a, b) => a.rank - b.rank)) {
    const width = piece.text.length + (kept.size > 0 ? 2 : 0);
    if (width > room && kept.size > 0) continue;
    kept.add(piece);
    room -= width;
  }
  const words = pieces.filter((piece) => kept.has(piece));
  if (room < 0) return (words[0]?.text ?? '').slice(0, columns);
  const start = room >= label.length ? label : '';
  const bar = share === undefined ? '' : barOf(share, room - start.length - 3);
  return start + bar + words.map((piece) => coloured(piece, colours)).join(', ');
}

/** Properties of the terminal. */
export interface LineStyle {
  readonly columns: number;
  readonly colours: boolean;
}

function coloured({ text, isFailure }: Piece, colours: boolean): string {
  return colours && isFailure ? RED + text + DEFAULT_COLOUR : text;
}

function countsOf({ counts }: Progress): Piece[] {
  return counts.flatMap(({ count, words, isFailure }, i) =>
    i > 0 && count === 0
      ? []
      : [{ text: `${number(count)} ${words}`, rank: i === 0 ? 0 : isFailure ? 1 : 3 + i, isFailure }],
  );
}

/** Returns the rates, and the time left or the length of the stall. */
function speedOf({ rate, stall }: Speed, view: View): string[] {
  const { flow } = view;
  const isFlowing = flow !== undefined && flow.stall === undefined && flow.rate > 0;
  if (stall !== undefined && !isFlowing) return ['0/s', `nothing for ${timeOf(stall)}`];
  const rates = [rateOf(rate), ...(isFlowing ? [`${bytesText(flow.rate)}/s`] : [])].join(', ');
  const left = leftOf(view);
  return left === undefined ? [rates] : [rates, `${timeOf(Math.max(left, SECOND))} left`];
}

/** Returns the finished share, from 0 to 1; undefined if it is unknown or more tasks arrived than announced. */
function shareOf({ progress: { through, share }, total }: View): number | undefined {
  if (total === undefined) return share;
  return total > 0 && through <= total ? through / total : undefined;
}

/** Returns the milliseconds left at this rate; undefined if they cannot be estimated. */
function leftOf(view: View): number | undefined {
  const { through } = view.progress;
  const share = shareOf(view);
  if (share === undefined || share === 0 || view.speed.rate === 0) return undefined;
  const left = ((through / share - through) / view.speed.rate) * 1000;
  return left < LONGEST ? left : undefined;
}

function percentOf(share: number): string {
  return `${Math.floor(share * 100)}%`;
}

function barOf(share: number, room: number): string {
  if (room < BAR.min) return '';
  const length = Math.min(BAR.max, room - (room % BAR.step));
  const full = Math.floor(share * length);
  const done = full === length ? '='.repeat(full) : `${'='.repeat(full)}>`;
  return `[${done.padEnd(length)}] `;
}

/** Returns `1,030/s`; for slow work `12/m` or `3/h`. */
function rateOf(rate: number): string {
  if (rate === 0) return '0/s';
  for (const [unit, seconds] of [
    ['s', 1],
    ['m', 60],
  ] as const) {
    const count = rate * seconds;
    if (count >= 0.95) return `${count < 9.95 ? +count.toFixed(1) : number(Math.round(count))}/${unit}`;
  }
  return `${+(rate * 3600).toFixed(1)}/h`;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Longest estimate that is shown. */
const LONGEST = 100 * DAY;

/** Returns `45s`, `2m 05s`, `2h 03m` or `3d 04h`. @param time milliseconds */
function timeOf(time: number): string {
  const rounded = Math.round(time / SECOND) * SECOND;
  if (rounded < MINUTE) return `${rounded / SECOND}s`;
  if (rounded < HOUR) return `${Math.floor(rounded / MINUTE)}m ${twoDigits((rounded % MINUTE) / SECOND)}s`;
  if (rounded < DAY) return `${Math.floor(rounded / HOUR)}h ${twoDigits((rounded % HOUR) / MINUTE)}m`;
  return `${Math.floor(rounded / DAY)}d ${twoDigits((rounded % DAY) / HOUR)}h`;
}

function twoDigits(count: number): string {
  return String(Math.floor(count)).padStart(2, '0');
}
