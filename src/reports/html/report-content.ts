import { number } from '../../core/base/format.ts';
import type { Report } from '../report.ts';
import { durationWords, percentWords, rateWords } from '../report-words.ts';
import { endedOf, headline } from '../summary.ts';
import { costsSection } from './costs-section.ts';
import { type Markup, type MarkupContent, markup } from './markup.ts';
import { atomsSection, causesSection, hostsSection, latencySection, throughputSection } from './sections.ts';

const OUTCOMES: Readonly<Record<Report['outcome'], string>> = {
  complete: 'all input was processed',
  stopped: 'stopped before the end of the input',
  'max-failures': 'stopped by --max-failures',
  budget: 'stopped by --budget',
  broken: 'ended by an error; the figures are those until then',
  running: 'still running',
};

/** Returns the content of the page, without the plots. */
export function contentOf(report: Report): Markup {
  const { program = 'taskpipe', command, started, ms, outcome, hosts, causes, atoms, costs } = report;
  const when = started.replace('T', ' ').replace(/\.\d+Z$/, ' UTC');
  const sections = [throughputSection(report), latencySection(report)];
  if (causes.length > 0) sections.push(causesSection(report));
  if (hosts.length > 0) sections.push(hostsSection(report));
  if (atoms !== undefined) sections.push(atomsSection(atoms));
  if (costs !== undefined) sections.push(costsSection(costs));
  return markup`<main>
<header>
<p class="kind">${program}</p>
<h1>${headline(report)}</h1>
<p>Started ${when}, took ${durationWords(ms)}; ${OUTCOMES[outcome]}.</p>
${command === undefined ? '' : markup`<pre class="command"><code>${command}</code></pre>`}
</header>
<dl class="tiles">${tilesOf(report)}</dl>
${endedOf(report) === 0 ? markup`<p class="none">No task ended in this run.</p>` : sections}
</main>
<footer><p>Made by ${program}. The plots are drawn by uPlot, © Leon Sorokin, MIT licence; its text is in the source of this page.</p></footer>`;
}

function tilesOf(report: Report): Markup[] {
  const { tasks, retries, rate, latency } = report;
  const ended = endedOf(report);
  const tiles = [
    tile(tasks.reverted > 0 ? 'Reverted' : 'Done', number(tasks.succeeded + tasks.reverted), '', 'done'),
    tile('Failed', number(tasks.failed), percentWords(tasks.failed, ended), tasks.failed > 0 ? 'failed' : ''),
    tile('Retries', number(retries), retries === 1 ? 'time' : 'times'),
  ];
  const others: [string, number, string][] = [
    ['Not finished', tasks.pending, 'read, and passed on as PENDING'],
    ['Had failed before', tasks.passed, 'passed on unchanged'],
    ['Added', tasks.added, 'found by other tasks'],
    ['Known', tasks.known, 'skipped'],
    ['Rejects', tasks.rejected, 'invalid lines'],
  ];
  for (const [name, count, words] of others) if (count > 0) tiles.push(tile(name, number(count), words));
  if (ended === 0) return tiles;
  return [
    ...tiles,
    tile('Rate', rateWords(rate), 'average of the run'),
    tile('p50', durationWords(latency.p50), 'half took less'),
    tile('p95', durationWords(latency.p95), '1 in 20 took more'),
    tile('p99', durationWords(latency.p99), '1 in 100 took more'),
    tile('Slowest', durationWords(latency.max), ''),
  ];
}

function tile(name: string, figure: MarkupContent, words: string, kind = ''): Markup {
  return markup`<div class="tile ${kind}"><dt>${name}</dt><dd><b>${figure}</b> <span>${words}</span></dd></div>
`;
}
