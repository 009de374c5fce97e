import type { Arrow, Drawing, DrawnShape } from './drawing.ts';

const LINES = { order: '-->', decider: '==>', value: '-.->' } as const;

/** Returns a drawing as a flowchart of Mermaid (https://mermaid.js.org/syntax/flowchart.html). */
export function toMermaid({ shapes, arrows }: Drawing): string {
  const lines = ['flowchart TD'];
  let depth = 1;
  for (const shape of shapes) {
    if (shape.kind === 'end') depth--;
    lines.push('  '.repeat(Math.min(depth, 40)) + lineOf(shape));
    if (shape.kind === 'flow') depth++;
  }
  for (const arrow of arrows) lines.push(`  ${arrowOf(arrow)}`);
  return `${lines.join('\n')}\n`;
}

function lineOf(shape: DrawnShape): string {
  if (shape.kind === 'end') return 'end';
  if (shape.kind === 'empty') return `${shape.id}[" "]`;
  const label = text(shape.label);
  if (shape.kind === 'flow') return `subgraph ${shape.id}[${label}]`;
  if (shape.kind === 'retry') return `${shape.id}{{${label}}}`;
  return shape.kind === 'store' ? `${shape.id}[(${label})]` : `${shape.id}[${label}]`;
}

function arrowOf({ kind, from, to, label }: Arrow): string {
  return `${from.id} ${LINES[kind]}${label === '' ? '' : `|${text(label)}|`} ${to.id}`;
}

/** ASCII signs, except common and harmless ones; and signs that are Markdown in some places: `-`, `1.` and `_`. */
const SIGNS = /[!-'*+/:-@[-^`{-~]|^-|(?<=^\d+)\.|(?<![\p{L}\p{N}])_|_(?![\p{L}\p{N}])/gu;

/**
 * Returns a quoted text. Between quotes, Mermaid still looks for quotes, HTML, Markdown, directives (`%%{`), and
 * for `#` in lines with `style` and a colon; so signs become entities such as `#58;`.
 */
function text(label: string): string {
  return `"${label.replace(SIGNS, (sign) => `#${sign.charCodeAt(0)};`)}"`;
}
