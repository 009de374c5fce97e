import type { Arrow, Drawing, DrawnShape } from './drawing.ts';

const SHAPES = {
  atom: 'shape=box',
  retry: 'shape=hexagon',
  store: 'shape=cylinder',
  empty: 'shape=point',
} as const;

const LINES = { order: '', decider: 'style=bold', value: 'style=dashed' } as const;

/** Returns a drawing in the language of Graphviz (https://graphviz.org/doc/info/lang.html). */
export function toDot({ label, shapes, arrows }: Drawing): string {
  const lines = [`digraph ${text(label)} {`, '  compound=true;', '  node [fontname="sans-serif"];'];
  let depth = 1;
  for (const shape of shapes) {
    if (shape.kind === 'end') depth--;
    for (const line of linesOf(shape)) lines.push(indent(depth) + line);
    if (shape.kind === 'flow') depth++;
  }
  for (const arrow of arrows) lines.push(`  ${lineOf(arrow)}`);
  return `${lines.join('\n')}\n}\n`;
}

function linesOf(shape: DrawnShape): string[] {
  if (shape.kind === 'end') return ['}'];
  if (shape.kind === 'flow') return [`subgraph cluster_${shape.id} {`, `  label=${text(shape.label)};`];
  return [`${shape.id} [${SHAPES[shape.kind]}, label=${text(shape.label)}];`];
}

/** Returns the statement of an arrow. Arrows connect nodes; an arrow to a frame is cut off at the frame. */
function lineOf({ kind, from, to, label }: Arrow): string {
  const attributes = [
    label === '' ? '' : `label=${text(label)}`,
    LINES[kind],
    from.id === from.node ? '' : `ltail=cluster_${from.id}`,
    to.id === to.node ? '' : `lhead=cluster_${to.id}`,
  ].filter((attribute) => attribute !== '');
  return `${from.node} -> ${to.node}${attributes.length === 0 ? '' : ` [${attributes.join(', ')}]`};`;
}

/** Returns a quoted string. In labels, a backslash begins an escape, and `&` an HTML entity. */
function text(label: string): string {
  return `"${label.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('&', '&amp;')}"`;
}

/** Returns an indentation. It stops growing, so that deep nesting does not make the text large. */
function indent(depth: number): string {
  return '  '.repeat(Math.min(depth, 40));
}
