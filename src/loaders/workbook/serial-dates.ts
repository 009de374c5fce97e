/*
 * Dates in workbooks are numbers of days. Only the number format of a cell distinguishes them from other numbers
 * (ECMA-376 part 1, 18.8.30 and 18.17.4).
 */

/** Kind of date that a number format shows. */
export type DateKind = 'date' | 'time' | 'elapsed';

const DAY = 86_400_000;
/** Day 0 of a workbook, for days after its 29 February 1900, which does not exist. */
const EPOCH_1900 = Date.UTC(1899, 11, 30);
const EPOCH_1904 = Date.UTC(1904, 0, 1);
/** Day after 9999-12-31. */
const END = Date.UTC(10_000, 0, 1);
/** Number of the day that does not exist: 29 February 1900. */
const NO_DAY = 60;

/** Built-in number formats of dates, by id; those from 27 on belong to East Asian languages. */
const BUILT_IN: readonly (readonly [from: number, to: number, kind: DateKind])[] = [
  [14, 17, 'date'],
  [18, 21, 'time'],
  [22, 22, 'date'],
  [27, 31, 'date'],
  [32, 35, 'time'],
  [36, 36, 'date'],
  [45, 45, 'time'],
  [46, 46, 'elapsed'],
  [47, 47, 'time'],
  [50, 54, 'date'],
  [55, 56, 'time'],
  [57, 58, 'date'],
];

/** Returns the kind of date that a number format shows; undefined if it is not a date. */
export function dateKindOf(id: number, code: string | undefined): DateKind | undefined {
  if (code === undefined) return BUILT_IN.find(([from, to]) => id >= from && id <= to)?.[2];
  // Text, escaped characters, colours, conditions and locales are not part of the format.
  const [first = ''] = code.replace(/"[^"]*"?|\\.|_.|\*./g, '').split(';');
  if (/\[(?:h+|m+|s+)\]/i.test(first)) return 'elapsed';
  const bare = first.replace(/\[[^\]]*\]/g, '').replace(/general/gi, '');
  if (/[yd]|g+e/i.test(bare)) return 'date';
  if (/[hs]|am\/pm|a\/p/i.test(bare)) return 'time';
  return /m/i.test(bare) ? 'date' : undefined;
}

/**
 * Returns a number of days as ISO text: `2024-03-17`, `2024-03-17T13:45:30`, `13:45:30` for a time alone, or hours
 * for an elapsed time; undefined if the day does not exist; the number is then kept.
 * @param is1904 true if the workbook counts from 1904
 */
export function isoDate(days: number, kind: DateKind, is1904: boolean): string | undefined {
  if (!Number.isFinite(days) || days < 0) return undefined;
  if (kind === 'elapsed') return clock(Math.round(days * DAY));
  if (kind === 'time' && days < 1) return clock(Math.round(days * DAY));
  const whole = Math.floor(days);
  // The stored number is rounded: a time is exact to the millisecond at best.
  const ms = Math.round((days - whole) * DAY);
  if (!is1904 && whole === NO_DAY) return `1900-02-29${timeOf(ms)}`;
  const epoch = is1904 ? EPOCH_1904 : whole < NO_DAY ? EPOCH_1900 + DAY : EPOCH_1900;
  const time = epoch + whole * DAY + ms;
  if (time >= END) return undefined;
  return `${new Date(time).toISOString().slice(0, 10)}${timeOf(ms % DAY)}`;
}

function timeOf(ms: number): string {
  return ms === 0 ? '' : `T${clock(ms)}`;
}

/** Returns hours, minutes, seconds and, if there are any, milliseconds. */
function clock(total: number): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const seconds = Math.floor(total / 1000);
  const ms = total % 1000;
  const text = `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  return ms === 0 ? text : `${text}.${String(ms).padStart(3, '0')}`;
}
