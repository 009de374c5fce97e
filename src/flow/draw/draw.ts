import { TaskpipeError } from '../../core/base/errors.ts';
import { type Flow, isFlow } from '../patterns.ts';
import { toDot } from './dot.ts';
import { drawingOf } from './drawing.ts';
import { toMermaid } from './mermaid.ts';

const FORMATS = { mermaid: toMermaid, dot: toDot } as const;

/** Language of a drawing: Mermaid, or that of Graphviz. */
export type DrawFormat = keyof typeof FORMATS;

/**
 * Returns the graph of a flow as text: its atoms, in frames for the flows around them, retry controllers, and arrows
 * for the order, the deciders, and the values that atoms get.
 * @throws {TaskpipeError} `USAGE` if the flow cannot run, or the format is unknown
 */
export function draw(flow: Flow, format: DrawFormat): string {
  if (!isFlow(flow)) throw new TaskpipeError('USAGE', `draw() takes a flow; got ${typeof flow}`);
  if (!Object.hasOwn(FORMATS, format)) {
    const known = Object.keys(FORMATS).join(' or ');
    throw new TaskpipeError('USAGE', `draw() makes ${known}; got ${JSON.stringify(format)}`);
  }
  return FORMATS[format](drawingOf(flow));
}
