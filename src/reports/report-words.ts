import { number } from '../core/base/format.ts';

/** Formats a duration: `45 ms`, `1.2 s`, `2 min 5 s`, `3 h 10 min`. @param ms in milliseconds */
export function durationWords(ms: number): string {
  if (ms < 1) return '<1 ms';
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return joined(Math.floor(seconds / 60), 'min', seconds % 60, 's');
  const minutes = Math.round(seconds / 60);
  return joined(Math.floor(minutes / 60), 'h', minutes % 60, 'min');
}

function joined(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small === 0 ? `${large} ${largeUnit}` : `${large} ${largeUnit} ${small} ${smallUnit}`;
}

/** Formats a rate: `1,234/s`, `8.3/s`, `30/min`. @param perSecond number per second */
export function rateWords(perSecond: number): string {
  if (perSecond >= 9.95) return `${number(Math.round(perSecond))}/s`;
  if (perSecond >= 1 || perSecond === 0) return `${Number(perSecond.toFixed(1))}/s`;
  return `${Number((perSecond * 60).toFixed(1))}/min`;
}

/** Formats a fraction as a percentage: `12 %`, `0.3 %`, `<0.1 %`. */
export function percentWords(part: number, whole: number): string {
  if (whole === 0 || part === 0) return '0 %';
  const percent = (part / whole) * 100;
  if (percent < 0.1) return '<0.1 %';
  return `${percent < 10 ? Number(percent.toFixed(1)) : Math.floor(percent)} %`;
}
