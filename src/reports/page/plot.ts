import uPlot from 'uplot';

/** Where a plot is drawn. */
export interface Area {
  readonly element: HTMLElement;
  /** Takes what is said of the place that is pointed at, where something is. */
  readonly readout: HTMLElement | null;
  /** In pixels. */
  readonly width: number;
  /** A colour of the page, by its name in theme.css. */
  colour(name: string): string;
}

const FONT = '12px system-ui, sans-serif';

/** The height of an axis that lies below its plot, in pixels. */
export const BELOW = 32;

/** The width of an axis that stands beside its plot: it has room for `100,000/s`. */
export const BESIDE = 78;

/** What all axes have. */
export function axis({ colour }: Area, more: uPlot.Axis): uPlot.Axis {
  const line = { stroke: colour('line'), width: 1 };
  return {
    ...{ stroke: colour('soft'), font: FONT, labelFont: FONT, grid: line },
    ticks: { ...line, size: 4 },
    ...more,
  };
}

/** Draws a plot. Returns what takes it away. */
export function draw(
  { element, width }: Area,
  height: number,
  options: Omit<uPlot.Options, 'width' | 'height'>,
  data: uPlot.AlignedData,
): () => void {
  const plot = new uPlot({ ...options, width, height, legend: { show: false } }, data, element);
  return () => plot.destroy();
}

/** A cursor that points at a place on the x axis; `words` are said of it. */
export function pointing(
  { readout }: Area,
  words: (index: number) => string,
): Required<Pick<uPlot.Options, 'cursor' | 'hooks'>> {
  return {
    cursor: { y: false, points: { show: false }, drag: { x: false, y: false } },
    hooks: {
      setCursor: [
        ({ cursor: { idx } }) => {
          if (readout !== null) readout.textContent = idx === null || idx === undefined ? '' : words(idx);
        },
      ],
    },
  };
}

/** Bars that stand at ranges of the x axis, from 0 up. @param ranges of each bar: where it begins and ends */
export function barsAt(ranges: readonly (readonly [number, number])[]): uPlot.Series.PathBuilder {
  return (plot, series, first, last) => {
    const fill = new Path2D();
    const bottom = plot.valToPos(0, 'y', true);
    for (let i = first; i <= last; i++) {
      const value = plot.data[series]?.[i];
      const range = ranges[i];
      if (!value || range === undefined) continue;
      const left = plot.valToPos(range[0], 'x', true);
      const right = plot.valToPos(range[1], 'x', true);
      const top = plot.valToPos(value, 'y', true);
      const gap = right - left > 6 * devicePixelRatio ? devicePixelRatio : 0;
      fill.rect(left, top, Math.max(1, right - left - gap), Math.max(1, bottom - top));
    }
    return { fill, stroke: null };
  };
}

/** A count on an axis: `1,200`, and nothing between whole ones. */
export function countLabel(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString('en-US') : '';
}
