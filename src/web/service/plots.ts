import uPlot from 'uplot';
import { element } from './dom.ts';

/** Number of seconds shown. */
const SPAN = 120;

/** A moving plot of the last two minutes, one value per second. */
export interface Plot {
  readonly element: HTMLElement;
  add(value: number): void;
}

/** Formats a time of day. */
function clock(seconds: number): string {
  return new Date(seconds * 1000).toTimeString().slice(0, 8);
}

/** Makes a plot. @param unit unit of the values, such as `tasks/s` */
export function plot(title: string, unit: string): Plot {
  const area = element('div', { class: 'plot' });
  const figure = element('figure', {}, element('figcaption', {}, `${title}, ${unit}`), area);
  const now = Math.floor(Date.now() / 1000);
  const times = Array.from({ length: SPAN }, (_, i) => now - SPAN + i);
  const values: (number | null)[] = new Array(SPAN).fill(null);
  let drawn: uPlot | undefined;
  const draw = (): void => {
    drawn?.destroy();
    const colour = (name: string): string =>
      getComputedStyle(document.documentElement).getPropertyValue(name);
    const axis = {
      stroke: colour('--soft'),
      grid: { stroke: colour('--line'), width: 1 },
      font: '12px system-ui',
    };
    drawn = new uPlot(
      {
        ...{ width: Math.max(200, area.clientWidth), height: 150, legend: { show: false } },
        cursor: { show: false },
        axes: [
          { ...axis, size: 30, space: 80, values: (_, ticks) => ticks.map(clock) },
          { ...axis, size: 56 },
        ],
        scales: { y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
        series: [
          {},
          { stroke: colour('--accent'), fill: colour('--accent-soft'), width: 2, points: { show: false } },
        ],
      },
      [times, values],
      area,
    );
  };
  new ResizeObserver(() => requestAnimationFrame(draw)).observe(area);
  return {
    element: figure,
    add(value) {
      times.push(Math.floor(Date.now() / 1000));
      values.push(value);
      times.shift();
      values.shift();
      drawn?.setData([times, values]);
    },
  };
}
