import { number } from '../core/words.ts';
import { type Content, type Markup, markup } from './markup.ts';
import type { Report } from './report.ts';
import { causesSection, hostsSection, latencySection, throughputSection } from './sections.ts';
import { endedOf, headline } from './summary.ts';
import { durationWords, percentWords, rateWords } from './words.ts';

const OUTCOMES: Readonly<Record<Report['outcome'], string>> = {
  complete: 'all of the input was done',
  stopped: 'it was stopped before the end of its input',
  'max-failures': 'it was stopped by --max-failures',
  broken: 'an error ended it; the figures are those until then',
  running: 'it is still running',
};

/** What the page of a report shows, apart from the plots. */
export function contentOf(report: Report): Markup {
  const { program = 'taskpipe', command, started, ms, outcome, hosts, causes } = report;
  const when = started.replace('T', ' ').replace(/\.\d+Z$/, ' UTC');
  const sections = [throughputSection(report), latencySection(report)];
  if (causes.length > 0) sections.push(causesSection(report));
  if (hosts.length > 0) sections.push(hostsSection(report));
  return markup`<main>
<header>
<p class="kind">${program}</p>
<h1>${headline(report)}</h1>
<p>Began ${when}, took ${durationWords(ms)}; ${OUTCOMES[outcome]}.</p>
${command === undefined ? '' : markup`<pre class="command"><code>${command}</code></pre>`}
</header>
<dl class="tiles">${tilesOf(report)}</dl>
${endedOf(report) === 0 ? markup`<p class="none">No task came to an end in this run.</p>` : sections}
</main>
<footer><p>Made by ${program}. The plots are drawn by uPlot, © Leon Sorokin, MIT licence, which stands in the source of this page.</p></footer>`;
}

function tilesOf(report: Report): Markup[] {
  const { tasks, retries, rate, latency } = report;
  const ended = endedOf(report);
  const tiles = [
    tile(tasks.reverted > 0 ? 'Reverted' : 'Done', number(tasks.succeeded + tasks.reverted), '', 'done'),
    tile('Failed', number(tasks.failed), percentWords(tasks.failed, ended), tasks.failed > 0 ? 'failed' : ''),
    tile('Tried again', number(retries), retries === 1 ? 'time' : 'times'),
  ];
  const others: [string, number, string][] = [
    ['Not finished', tasks.pending, 'read, and passed on as PENDING'],
    ['Had failed before', tasks.passed, 'and were passed on'],
    ['Added', tasks.added, 'found by other tasks'],
    ['Known already', tasks.known, 'and left out'],
    ['Bad lines', tasks.rejected, 'were no tasks'],
  ];
  for (const [name, count, words] of others) if (count > 0) tiles.push(tile(name, number(count), words));
  if (ended === 0) return tiles;
  return [
    ...tiles,
    tile('Rate', rateWords(rate), 'over all of it'),
    tile('p50', durationWords(latency.p50), 'half took less'),
    tile('p95', durationWords(latency.p95), '1 in 20 took more'),
    tile('p99', durationWords(latency.p99), '1 in 100 took more'),
    tile('Slowest', durationWords(latency.max), ''),
  ];
}

function tile(name: string, figure: Content, words: string, kind = ''): Markup {
  return markup`<div class="tile ${kind}"><dt>${name}</dt><dd><b>${figure}</b> <span>${words}</span></dd></div>
`;
}
