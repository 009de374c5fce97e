import type uPlot from 'uplot';
import { type Area, axis, BELOW, countLabel, draw } from '../plot.ts';

/** A horizontal stacked bar with a label. */
export interface Bar {
  readonly label: string;
  readonly parts: readonly { readonly count: number; readonly colour: string }[];
}

/** Height of a bar and its margin, in pixels. */
const ROW = 30;

/** Maximum length of a label, in characters. */
const LONGEST = 44;

/** Draws horizontal bars, each with its sum at its end. */
export function drawBars(area: Area, bars: readonly Bar[]): () => void {
  const most = Math.max(...bars.map(sumOf));
  const labels = bars.map(({ label }) => (label.length > LONGEST ? `${label.slice(0, LONGEST)}…` : label));
  const size = Math.min(area.width * 0.5, 16 + widestOf(labels));
  return draw(
    area,
    BELOW + 16 + bars.length * ROW,
    {
      cursor: { show: false },
      hooks: { draw: [(plot) => drawAll(plot, area, bars)] },
      scales: {
        x: { time: false, range: [0, most * 1.12] },
        y: { range: [-0.5, bars.length - 0.5], dir: -1 },
      },
      axes: [
        axis(area, { size: BELOW, space: 70, values: (_, splits) => splits.map(countLabel) }),
        axis(area, {
          size,
          stroke: area.colour('ink'),
          splits: () => bars.map((_, i) => i),
          values: () => labels,
          grid: { show: false },
          ticks: { show: false },
        }),
      ],
      series: [{}, { show: true, paths: () => null, points: { show: false } }],
    },
    [
      [0, most],
      [0, bars.length],
    ],
  );
}

function sumOf({ parts }: Bar): number {
  return parts.reduce((sum, { count }) => sum + count, 0);
}

function widestOf(labels: readonly string[]): number {
  const context = document.createElement('canvas').getContext('2d') as CanvasRenderingContext2D;
  context.font = '12px system-ui, sans-serif';
  return Math.max(...labels.map((label) => context.measureText(label).width));
}

function drawAll(plot: uPlot, area: Area, bars: readonly Bar[]): void {
  const { ctx } = plot;
  const pixels = devicePixelRatio;
  const thick = ROW * 0.62 * pixels;
  ctx.save();
  ctx.font = `${12 * pixels}px system-ui, sans-serif`;
  ctx.textBaseline = 'middle';
  ctx.textAlign = 'left';
  bars.forEach((bar, row) => {
    const y = plot.valToPos(row, 'y', true);
    let sum = 0;
    for (const { count, colour } of bar.parts) {
      const left = plot.valToPos(sum, 'x', true);
      sum += count;
      ctx.fillStyle = area.colour(colour);
      ctx.fillRect(left, y - thick / 2, Math.max(pixels, plot.valToPos(sum, 'x', true) - left), thick);
    }
    ctx.fillStyle = area.colour('ink');
    ctx.fillText(sum.toLocaleString('en-US'), plot.valToPos(sum, 'x', true) + 6 * pixels, y);
  });
  ctx.restore();
}
