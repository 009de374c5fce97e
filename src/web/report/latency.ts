import type uPlot from 'uplot';
import type { Report } from '../../reports/report.ts';
import { durationWords } from '../../reports/report-words.ts';
import { ROUND, roundWords } from '../durations.ts';
import { type Area, axis, BELOW, BESIDE, barsAt, countLabel, draw, pointing } from '../plot.ts';

/** Returns the position of a duration on the logarithmic axis; durations below a millisecond are left of it. */
function placeOf(ms: number): number {
  return Math.log10(Math.max(ms, 0.5));
}

/** Draws the histogram of durations. */
export function drawLatency(area: Area, { latency }: Report): () => void {
  const { bins, p50, p95, p99 } = latency;
  const ranges = bins.map(({ from, to }): [number, number] => [placeOf(from), placeOf(to)]);
  const middles = ranges.map(([from, to]) => (from + to) / 2);
  const paths = barsAt(ranges);
  const points = { show: false };
  const [least, most] = [(ranges[0]?.[0] ?? 0) - 0.05, (ranges.at(-1)?.[1] ?? 1) + 0.05];
  const words = (i: number): string => {
    const { from = 0, to = 0, count = 0, failed = 0 } = bins[i] ?? {};
    return `${durationWords(from)} to ${durationWords(to)}: ${count - failed} done, ${failed} failed`;
  };
  const { cursor, hooks } = pointing(area, words);
  const markers = { p50, p95, p99 };
  return draw(
    area,
    240,
    {
      ...{ cursor, hooks: { ...hooks, draw: [(plot: uPlot) => drawMarkers(plot, area, markers)] } },
      padding: [22, null, null, null],
      scales: {
        x: { time: false, range: [least, most - least < 0.6 ? least + 0.6 : most] },
        y: { range: (_, __, max) => [0, max * 1.05 || 1] },
      },
      axes: [
        axis(area, {
          size: BELOW,
          splits: (_, __, from, to) => roundBetween(from, to, area.width / 80),
          values: (_, splits) => splits.map((split) => roundWords(Math.round(10 ** split))),
        }),
        axis(area, { size: BESIDE, values: (_, splits) => splits.map(countLabel) }),
      ],
      series: [
        {},
        { paths, points, fill: area.colour('failed') }, // successes are drawn over them, so that only failures stay visible
        { paths, points, fill: area.colour('done') },
      ],
    },
    [middles, bins.map(({ count }) => count), bins.map(({ count, failed }) => count - failed)],
  );
}

/** Returns round durations for the axis, at most about `most`. */
function roundBetween(from: number, to: number, most: number): number[] {
  const inside = ROUND.map((ms) => Math.log10(ms)).filter((place) => place >= from && place <= to);
  const space = (to - from) / Math.max(2, most);
  const kept: number[] = [];
  for (const place of inside)
    if (kept.length === 0 || place - (kept.at(-1) as number) >= space) kept.push(place);
  return kept;
}

/** Draws a line for each percentile, with its name above it. */
function drawMarkers(plot: uPlot, area: Area, markers: Readonly<Record<string, number>>): void {
  const { ctx, bbox } = plot;
  const pixels = devicePixelRatio;
  ctx.save();
  ctx.font = `${12 * pixels}px system-ui, sans-serif`;
  ctx.fillStyle = area.colour('ink');
  ctx.strokeStyle = area.colour('ink');
  ctx.lineWidth = pixels;
  ctx.setLineDash([4 * pixels, 3 * pixels]);
  let free = Number.NEGATIVE_INFINITY;
  for (const [name, ms] of Object.entries(markers)) {
    const x = Math.round(plot.valToPos(placeOf(ms < 1 ? 0.7 : ms), 'x', true));
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    const half = ctx.measureText(name).width / 2 + 3 * pixels;
    const at = Math.max(x, free + half); // names that would overlap are placed side by side
    free = at + half;
    ctx.textAlign = 'center';
    ctx.fillText(name, at, bbox.top - 7 * pixels);
  }
  ctx.restore();
}
