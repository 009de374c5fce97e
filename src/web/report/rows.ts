import { COLOURS } from '../../reports/html/colours.ts';
import type { Report } from '../../reports/report.ts';
import type { Bar } from './bars.ts';

/** Maximum number of bars. */
const ROWS = 12;

/** Returns the colour of a cause, by its rank. */
function colourAt(place: number): string {
  return `c${place < 0 ? COLOURS - 1 : Math.min(place, COLOURS - 1)}`;
}

/** Returns a bar for each cause of failures. */
export function barsOfCauses({ causes }: Report): Bar[] {
  const fatal = causes.filter(({ failed }) => failed > 0);
  return fatal
    .slice(0, ROWS)
    .map(({ code, failed }, i) => ({ label: code, parts: [{ count: failed, colour: colourAt(i) }] }));
}

/** Returns a bar for each of the hosts with the most failures, with a segment per cause. */
export function barsOfHosts({ hosts, causes }: Report): Bar[] {
  const places = causes.filter(({ failed }) => failed > 0).map(({ code }) => code);
  const worst = hosts.filter(({ failed }) => failed > 0).sort((a, b) => b.failed - a.failed);
  return worst.slice(0, ROWS).map(({ host, causes: own }) => ({
    label: host,
    parts: Object.entries(own)
      .map(([code, count]) => ({ count, place: places.indexOf(code) }))
      .sort((a, b) => (a.place < 0 ? 1 : b.place < 0 ? -1 : a.place - b.place))
      .map(({ count, place }) => ({ count, colour: colourAt(place) })),
  }));
}
