import type { ShownTask } from './contract.ts';
import { element } from './dom.ts';

const UNITS: readonly (readonly [size: number, name: string])[] = [
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
];

/** Formats a duration: `35 ms`, `2.5 s`, `3 min 20 s`, `4 h 5 min`. */
export function durationWords(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60_000) return `${Number((ms / 1000).toFixed(ms < 10_000 ? 1 : 0))} s`;
  const seconds = Math.round(ms / 1000);
  const index = UNITS.findIndex(([size]) => seconds >= size);
  const [size, name] = UNITS[index] as readonly [number, string];
  const [small, smallName] = UNITS[index + 1] as readonly [number, string];
  const rest = Math.floor((seconds % size) / small);
  return `${Math.floor(seconds / size)} ${name}${rest > 0 ? ` ${rest} ${smallName}` : ''}`;
}

/** Formats a time that has passed: `now`, `3 min ago`, `2 d ago`. */
function agoWords(time: number): string {
  const seconds = Math.max(0, (Date.now() - time) / 1000);
  const unit = UNITS.find(([size]) => seconds >= size);
  if (unit === undefined || seconds < 5) return 'now';
  return `${Math.floor(seconds / unit[0])} ${unit[1]} ago`;
}

/** Makes a relative time, with the absolute one as its title. `refreshTimes` keeps it right. */
export function timeOf(stamp: string | null): HTMLElement | string {
  if (stamp === null) return '';
  return element('time', { datetime: stamp, title: localTime(stamp) }, agoWords(Date.parse(stamp)));
}

/** Formats a time in the local time zone. */
export function localTime(stamp: string): string {
  const local = new Date(Date.parse(stamp) - new Date(stamp).getTimezoneOffset() * 60_000).toISOString();
  return local.slice(0, 19).replace('T', ' ');
}

/** Makes the duration of a task, which grows while the task runs. */
export function durationOf({ status, started, finished, ms }: ShownTask): HTMLElement | string {
  if (status === 'RUNNING' && started !== null)
    return element('span', { 'data-since': started }, durationWords(Date.now() - Date.parse(started)));
  if (ms !== null) return durationWords(ms);
  if (started === null || finished === null) return '';
  return durationWords(Date.parse(finished) - Date.parse(started));
}

/** Updates all relative times and growing durations of the page. */
export function refreshTimes(): void {
  for (const time of document.querySelectorAll('time'))
    time.textContent = agoWords(Date.parse(time.dateTime));
  for (const span of document.querySelectorAll<HTMLElement>('[data-since]'))
    span.textContent = durationWords(Date.now() - Date.parse(span.dataset.since ?? ''));
}
