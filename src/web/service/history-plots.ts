import uPlot from 'uplot';
import { roundWords } from '../durations.ts';
import { call } from './api.ts';
import { element } from './dom.ts';

interface Told {
  readonly step: number;
  readonly from: string;
  readonly finished: readonly number[];
  readonly failed: readonly number[];
  readonly median_ms: readonly (number | null)[];
}

/** Bars with the width of their interval. */
const bars = uPlot.paths.bars?.({ size: [0.9, 20], align: 1 });

/** Makes a plot of values over the last hour. @param curves their colours, by the names in the style sheet */
function plotOf(
  title: string,
  curves: readonly string[],
  words: (value: number) => string,
): { readonly element: HTMLElement; show(data: uPlot.AlignedData): void } {
  const area = element('div', { class: 'plot' });
  const figure = element('figure', {}, element('figcaption', {}, title), area);
  let data: uPlot.AlignedData = [[], ...curves.map(() => [])];
  let drawn: uPlot | undefined;
  const draw = (): void => {
    drawn?.destroy();
    const colour = (name: string): string =>
      getComputedStyle(document.documentElement).getPropertyValue(name);
    const grid = { stroke: colour('--line'), width: 1 };
    const axis = { stroke: colour('--soft'), grid, ticks: grid, font: '12px system-ui' };
    const clock = (seconds: number): string => new Date(seconds * 1000).toTimeString().slice(0, 5);
    drawn = new uPlot(
      {
        ...{ width: Math.max(200, area.clientWidth), height: 140, legend: { show: false } },
        cursor: { show: false },
        axes: [
          { ...axis, size: 28, space: 70, values: (_, ticks) => ticks.map(clock) },
          { ...axis, size: 58, space: 30, values: (_, ticks) => ticks.map(words) },
        ],
        scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
        series: [
          {},
          ...curves.map((name) => ({
            ...{ stroke: colour(`--${name}`), fill: colour(`--${name}`), width: 0, points: { show: false } },
            ...(bars && { paths: bars }),
          })),
        ],
      },
      data,
      area,
    );
  };
  new ResizeObserver(() => requestAnimationFrame(draw)).observe(area);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw);
  return {
    element: figure,
    show(next) {
      data = next;
      drawn?.setData(next);
    },
  };
}

/** Makes the plots of the last hour. `refresh` reads them again. */
export function historyPlots(): { readonly elements: readonly HTMLElement[]; refresh(): void } {
  const ends = plotOf(
    'Ended tasks per minute, in the last hour; failed ones in red',
    ['accent', 'bad'],
    (value) => value.toLocaleString('en'),
  );
  const durations = plotOf('Median duration of the work, in the last hour', ['accent'], roundWords);
  const refresh = async (): Promise<void> => {
    const { step, from, finished, failed, median_ms } = await call<Told>('/history');
    const start = Date.parse(from) / 1000;
    const times = finished.map((_, i) => start + i * step);
    const perMinute = (count: number): number => (count * 60) / step;
    ends.show([times, finished.map(perMinute), failed.map(perMinute)]);
    durations.show([times, [...median_ms]]);
  };
  return { elements: [ends.element, durations.element], refresh: () => void refresh().catch(() => {}) };
}
