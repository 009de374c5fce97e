import uPlot from 'uplot';

/** Area of a plot. */
export interface Area {
  readonly element: HTMLElement;
  /** Element that describes the point under the cursor. */
  readonly readout: HTMLElement | null;
  /** Width in pixels. */
  readonly width: number;
  /** Returns a colour of the page by its name in theme.css. */
  colour(name: string): string;
}

const FONT = '12px system-ui, sans-serif';

/** Height of an axis below its plot, in pixels. */
export const BELOW = 32;

/** Width of an axis beside its plot: fits `100,000/s`. */
export const BESIDE = 78;

/** Returns an axis with the common style. */
export function axis({ colour }: Area, more: uPlot.Axis): uPlot.Axis {
  const line = { stroke: colour('line'), width: 1 };
  return {
    ...{ stroke: colour('soft'), font: FONT, labelFont: FONT, grid: line },
    ticks: { ...line, size: 4 },
    ...more,
  };
}

/** Draws a plot. Returns a function that removes it. */
export function draw(
  { element, width }: Area,
  height: number,
  options: Omit<uPlot.Options, 'width' | 'height'>,
  data: uPlot.AlignedData,
): () => void {
  const plot = new uPlot({ ...options, width, height, legend: { show: false } }, data, element);
  return () => plot.destroy();
}

/** Returns a cursor on the x axis; `words` describes the point under it. */
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

/** Returns paths of vertical bars. @param ranges start and end of each bar on the x axis */
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

/** Formats a count for an axis: `1,200`; nothing for fractions. */
export function countLabel(value: number): string {
  return Number.isInteger(value) ? value.toLocaleString('en-US') : '';
}
