import type { AtomTime } from '../../core/base/call-times.ts';
import { number } from '../../core/base/format.ts';
import type { Cause, Host, Report } from '../report.ts';
import { durationWords, percentWords, rateWords } from '../report-words.ts';
import { slowest, worst } from '../summary.ts';
import { COLOURS } from './colours.ts';
import { type Markup, type MarkupContent, markup } from './markup.ts';

/** Number of visible rows; further rows are collapsed. */
const OPEN_ROWS = 10;

/** Returns a section with a plot, which the script draws, and the same data as a table. */
function section(
  id: string,
  title: string,
  words: string,
  legend: MarkupContent,
  rest: MarkupContent,
): Markup {
  return markup`<section>
<h2 id="${id}-title">${title}</h2>
<p>${words}</p>
${legend}
<div class="plot" id="${id}" role="img" aria-labelledby="${id}-title"></div>
${rest}
</section>
`;
}

export function throughputSection({ throughput, retries, tasks, ms }: Report): Markup {
  const { width } = throughput;
  const rows = throughput.succeeded.map((succeeded, i): MarkupContent[] => [
    durationWords(i * width).replace('<1 ms', '0'),
    number(succeeded),
    number(throughput.failed[i] ?? 0),
    number(throughput.retries[i] ?? 0),
    rateWords(
      (succeeded + (throughput.failed[i] ?? 0)) / (Math.min(width, Math.max(1, ms - i * width)) / 1000),
    ),
  ]);
  const legend = [keyOf('done', 'done')];
  if (tasks.failed > 0) legend.push(keyOf('failed', 'failed'));
  if (retries > 0) legend.push(keyOf('retried', 'attempts that were followed by another'));
  return section(
    'throughput',
    'Throughput',
    `Tasks that ended per second, in steps of ${durationWords(width)}.`,
    markup`<ul class="legend">${legend}</ul>`,
    markup`${readout('throughput')}${folded('Throughput', table(['From', 'Done', 'Failed', 'Tried again', 'Rate'], rows))}`,
  );
}

export function latencySection({ latency, tasks }: Report): Markup {
  const rows = latency.bins.map(({ from, to, count, failed }): MarkupContent[] => [
    from === to - 1 ? durationWords(from) : `${durationWords(from)} – ${durationWords(to)}`,
    number(count - failed),
    number(failed),
  ]);
  const legend = [keyOf('done', 'done')];
  if (tasks.failed > 0) legend.push(keyOf('failed', 'failed'));
  return section(
    'latency',
    'How long a task took',
    'From its first attempt to its end, retries and the waits before them included.',
    markup`<ul class="legend">${legend}</ul>`,
    markup`${readout('latency')}${folded('How long a task took', table(['Took', 'Done', 'Failed'], rows))}`,
  );
}

export function causesSection({ causes, tasks }: Report): Markup {
  const row = ({ code, failed, retries, example }: Cause): MarkupContent[] => [
    markup`<code>${code}</code>`,
    number(failed),
    percentWords(failed, tasks.failed),
    number(retries),
    markup`<span class="message">${example.message}</span> <code class="uuid">${example.uuid}</code>`,
  ];
  const headings = ['Cause', 'Tasks failed', 'Of all failures', 'Tried again for it', 'Example'];
  return section(
    'causes',
    'Failures by cause',
    tasks.failed > 0 ? 'Why tasks failed in the end.' : 'No task failed in the end; some were tried again.',
    '',
    long('Failures by cause', headings, causes.map(row)),
  );
}

export function hostsSection({ hosts, otherHosts, causes }: Report): Markup {
  const row = ({ host, tasks, failed, retries, p50, p95, max }: Host): MarkupContent[] => [
    host,
    number(tasks),
    number(failed),
    percentWords(failed, tasks),
    number(retries),
    durationWords(p50),
    durationWords(p95),
    durationWords(max),
  ];
  const headings = ['Host', 'Tasks', 'Failed', 'Share', 'Tried again', 'p50', 'p95', 'Slowest'];
  const bad = worst(hosts);
  const fatal = causes.filter(({ failed }) => failed > 0).map(({ code }) => code);
  const shown = fatal.slice(0, COLOURS - 1).map((code, i) => keyOf(`c${i}`, code));
  if (fatal.length >= COLOURS) shown.push(keyOf(`c${COLOURS - 1}`, 'other causes'));
  const { tasks = 0, failed = 0 } = otherHosts ?? {};
  const beyond =
    otherHosts === undefined
      ? ''
      : markup`<p>Beyond these ${number(hosts.length)} hosts, others had ${number(tasks)} tasks, of which ${number(failed)} failed. With this many hosts, figures of hosts with few tasks may be a little low.</p>`;
  const tables = markup`${bad.length > 0 ? [markup`<h3>Most failures</h3>`, long('Hosts with the most failures', headings, bad.map(row))] : ''}
<h3>Slowest</h3>
${long('Slowest hosts, by p95', headings, slowest(hosts).map(row))}
${beyond}`;
  if (bad.length === 0) return markup`<section><h2>Hosts</h2>${tables}</section>`;
  const legend = markup`<ul class="legend">${shown}</ul>`;
  return section(
    'hosts',
    'Failures by host',
    'The hosts with the most failed tasks, and why.',
    legend,
    tables,
  );
}

export function atomsSection(atoms: readonly AtomTime[]): Markup {
  const row = ({ atom, count, failed, total, median, max, reverts }: AtomTime): MarkupContent[] => [
    markup`<code>${atom}</code>`,
    number(count),
    number(failed),
    durationWords(total),
    durationWords(median),
    durationWords(max),
    ...(reverts === undefined ? ['', ''] : [number(reverts.count), durationWords(reverts.total)]),
  ];
  const headings = ['Atom', 'Calls', 'Failed', 'Total', 'Median', 'Slowest', 'Reverts', 'Total of reverts'];
  return markup`<section>
<h2>Atoms of flows</h2>
<p>How long the calls of each atom took, the longest total first.</p>
${long('Atoms of flows', headings, atoms.map(row))}
</section>
`;
}

/** Returns the element in which the script describes the point under the cursor. */
function readout(id: string): Markup {
  return markup`<p class="readout" id="${id}-readout" aria-hidden="true"></p>
`;
}

function keyOf(kind: string, words: string): Markup {
  return markup`<li><i class="key ${kind}"></i>${words}</li>`;
}

/** Returns a table whose rows beyond the first ones are collapsed. */
export function long(caption: string, headings: readonly string[], rows: readonly MarkupContent[][]): Markup {
  const open = table(headings, rows.slice(0, OPEN_ROWS), caption);
  if (rows.length <= OPEN_ROWS) return open;
  return markup`${open}${folded(`${caption}: ${number(rows.length - OPEN_ROWS)} more`, table(headings, rows.slice(OPEN_ROWS)))}`;
}

function folded(title: string, content: Markup): Markup {
  return markup`<details><summary>${title}, as a table</summary>${content}</details>`;
}

function table(headings: readonly string[], rows: readonly MarkupContent[][], caption = ''): Markup {
  const head = headings.map((heading) => markup`<th scope="col">${heading}</th>`);
  const line = ([first = '', ...cells]: MarkupContent[]): Markup =>
    markup`<tr><th scope="row">${first}</th>${cells.map((cell) => markup`<td>${cell}</td>`)}</tr>
`;
  const said = caption === '' ? '' : markup`<caption>${caption}</caption>`;
  return markup`<div class="wide"><table>${said}<thead><tr>${head}</tr></thead><tbody>${rows.map(line)}</tbody></table></div>`;
}
