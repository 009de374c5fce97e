import type { Report } from '../../reports/report.ts';
import { durationWords, rateWords } from '../../reports/report-words.ts';
import { ROUND, roundWords } from '../durations.ts';
import { type Area, axis, BELOW, BESIDE, barsAt, draw, pointing } from '../plot.ts';

/** Draws the throughput over the time of the run. */
export function drawThroughput(area: Area, { throughput, ms, retries }: Report): () => void {
  const { width } = throughput;
  const end = Math.max(ms, 1);
  const ranges = throughput.succeeded.map((_, i): [number, number] => [
    i * width,
    Math.max(i * width + 1, Math.min((i + 1) * width, end)),
  ]);
  // The last range may be short, and its rate meaningless.
  const perSecond = (counts: readonly number[]): number[] =>
    counts.map((count, i) => {
      const [from, to] = ranges[i] as [number, number];
      return (count / Math.max(to - from, Math.min(width, end) / 4)) * 1000;
    });
  const done = perSecond(throughput.succeeded);
  const failed = perSecond(throughput.failed);
  const again = perSecond(throughput.retries);
  const middles = ranges.map(([from, to]) => (from + to) / 2);
  const all = done.map((count, i) => count + (failed[i] ?? 0));
  const paths = barsAt(ranges);
  const words = (i: number): string =>
    `${durationWords(i * width).replace('<1 ms', '0')} after the beginning: ${rateWords(done[i] ?? 0)} done, ` +
    `${rateWords(failed[i] ?? 0)} failed, ${rateWords(again[i] ?? 0)} tried again`;
  const points = { show: false };
  return draw(
    area,
    240,
    {
      ...pointing(area, words),
      scales: {
        x: { time: false, range: [0, Math.max(end, ranges.at(-1)?.[1] ?? 0)] },
        y: { range: (_, __, max) => [0, max * 1.05 || 1] },
      },
      axes: [
        axis(area, { size: BELOW, incrs: [...ROUND], values: (_, splits) => splits.map(roundWords) }),
        axis(area, { size: BESIDE, values: (_, splits) => splits.map((split) => rateWords(split)) }),
      ],
      series: [
        {},
        { paths, points, fill: area.colour('failed') }, // successes are drawn over it, so that only failures stay visible
        { paths, points, fill: area.colour('done') },
        {
          points: { show: middles.length < 3 && retries > 0 },
          show: retries > 0,
          stroke: area.colour('retried'),
          width: 2,
        },
      ],
    },
    [middles, all, done, again],
  );
}
