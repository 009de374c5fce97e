import { number } from '../../core/base/format.ts';
import type { CostReport, LaneCost } from '../cost-report.ts';
import { amountRate, amountWords, costLines } from '../cost-words.ts';
import { type Markup, type MarkupContent, markup } from './markup.ts';
import { long } from './sections.ts';

/** Returns the section about costs: a line for each, and a table of its lanes. */
export function costsSection(costs: readonly CostReport[]): Markup {
  const lines = costLines(costs).map((line) => markup`<li>${line}</li>`);
  const tables = costs.filter(({ lanes }) => lanes.length > 0).map(costTable);
  return markup`<section>
<h2>Costs</h2>
<ul>${lines}</ul>
${tables}
</section>
`;
}

function costTable({ name, spent, perSecond, lanes }: CostReport): Markup {
  const seconds = perSecond > 0 ? spent / perSecond : 0;
  const row = ({ lane, attempts, spent: cost }: LaneCost): MarkupContent[] => [
    lane === '' ? 'all tasks' : lane,
    number(attempts),
    amountWords(cost),
    amountWords(attempts === 0 ? 0 : cost / attempts),
    amountRate(seconds > 0 ? cost / seconds : 0),
  ];
  const caption = `Costs in ${name} by lane`;
  return markup`<h3>${name}</h3>
${long(caption, ['Lane', 'Attempts', 'Sum', 'Mean', 'Rate'], lanes.map(row))}`;
}
