/* Script of the report page: draws the plots. Text and tables do not need it. */
import type { Report } from '../../reports/report.ts';
import type { Area } from '../plot.ts';
import { type Bar, drawBars } from './bars.ts';
import { drawLatency } from './latency.ts';
import { barsOfCauses, barsOfHosts } from './rows.ts';
import { drawThroughput } from './throughput.ts';

const report: Report = JSON.parse((document.getElementById('report') as HTMLElement).textContent ?? '');

/** Functions that draw the plots; each returns a function that removes the plot. */
const plots: Readonly<Record<string, (area: Area) => () => void>> = {
  throughput: (area) => drawThroughput(area, report),
  latency: (area) => drawLatency(area, report),
  causes: (area) => bars(area, barsOfCauses(report)),
  hosts: (area) => bars(area, barsOfHosts(report)),
};

function bars(area: Area, rows: readonly Bar[]): () => void {
  if (rows.length > 0) return drawBars(area, rows);
  area.element.hidden = true;
  return () => {};
}

let clear: (() => void)[] = [];

/** Redraws all plots. @param width in pixels; default: the available width */
function draw(width?: number): void {
  for (const remove of clear) remove();
  clear = [];
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
  for (const [id, drawOne] of Object.entries(plots)) {
    const element = document.getElementById(id);
    const readout = document.getElementById(`${id}-readout`);
    if (element === null) continue;
    clear.push(drawOne({ element, readout, width: width ?? element.clientWidth, colour }));
  }
}

/** Width of the printable area of an A4 page, in pixels. */
const PAPER = 680;

let drawn = 0;
new ResizeObserver(() => {
  if (document.body.clientWidth === drawn) return; // only the height has changed
  drawn = document.body.clientWidth;
  draw();
}).observe(document.body);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => draw());
addEventListener('beforeprint', () => {
  document.documentElement.classList.add('paper');
  draw(PAPER);
});
addEventListener('afterprint', () => {
  document.documentElement.classList.remove('paper');
  draw();
});
