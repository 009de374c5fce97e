import { COLOURS } from '../colours.ts';
import type { Report } from '../report.ts';
import type { Bar } from './bars.ts';

/** How many bars there are at most. */
const ROWS = 12;

/** The colour of a cause, by its place among those that tasks failed for. */
function colourAt(place: number): string {
  return `c${place < 0 ? COLOURS - 1 : Math.min(place, COLOURS - 1)}`;
}

/** A bar for each cause that tasks failed for. */
export function barsOfCauses({ causes }: Report): Bar[] {
  const fatal = causes.filter(({ failed }) => failed > 0);
  return fatal
    .slice(0, ROWS)
    .map(({ code, failed }, i) => ({ label: code, parts: [{ count: failed, colour: colourAt(i) }] }));
}

/** A bar for each of the hosts with the most failures, with a part for each cause. */
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
