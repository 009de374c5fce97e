const [SECOND, MINUTE, HOUR, DAY] = [1000, 60_000, 3_600_000, 86_400_000] as const;

/** Round durations, in milliseconds. */
export const ROUND: readonly number[] = [
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500],
  ...[1, 2, 5, 10, 15, 30].map((seconds) => seconds * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MINUTE),
  ...[1, 2, 3, 6, 12].map((hours) => hours * HOUR),
  ...[1, 2, 5, 10, 20, 50, 100].map((days) => days * DAY),
];

/** Formats a round duration or a multiple for an axis: `200 ms`, `1.5 s`, `2 min`, `3 h`. */
export function roundWords(ms: number): string {
  if (ms === 0) return '0';
  const [size, unit] =
    ms < SECOND
      ? [1, 'ms']
      : ms < MINUTE
        ? [SECOND, 's']
        : ms < HOUR
          ? [MINUTE, 'min']
          : ms < DAY
            ? [HOUR, 'h']
            : [DAY, 'd'];
  return `${Number((ms / (size as number)).toFixed(2))} ${unit}`;
}
