/* What runs in the page of a report: it draws the plots. The words and tables are there without it. */
import type { Report } from '../report.ts';
import { type Bar, drawBars } from './bars.ts';
import { drawLatency } from './latency.ts';
import type { Area } from './plot.ts';
import { barsOfCauses, barsOfHosts } from './rows.ts';
import { drawThroughput } from './throughput.ts';

const report: Report = JSON.parse((document.getElementById('report') as HTMLElement).textContent ?? '');

/** How each plot is drawn; it returns what takes it away. */
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

/** Draws all plots anew. @param width in pixels; default: what there is */
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

/** As wide as a sheet of A4 is within its margins. */
const PAPER = 680;

let drawn = 0;
new ResizeObserver(() => {
  if (document.body.clientWidth === drawn) return; // the height alone has changed
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
