import { escapeControls } from '../../core/base/terminal-text.ts';
import type { Atom } from '../atom.ts';
import { type Flow, isFlow } from '../patterns.ts';
import { type Compiled, type CompiledAtom, compile } from '../plan/compile.ts';

/** Node or frame of a drawing, in the order in which they are written. A frame contains all shapes up to its end. */
export type DrawnShape =
  | { readonly kind: 'atom' | 'retry' | 'store' | 'empty'; readonly id: string; readonly label: string }
  | { readonly kind: 'flow'; readonly id: string; readonly label: string }
  | { readonly kind: 'end' };

export interface ArrowEnd {
  /** Node or frame. */
  readonly id: string;
  /**
   * Node to use in formats whose arrows cannot end at a frame: the first one in it for the tip, else the last one.
   */
  readonly node: string;
}

/** Arrow of a drawing. */
export interface Arrow {
  /** `order`: the second part waits for the first. `decider`: it also has to pass a decider. `value`: it gets a value. */
  readonly kind: 'order' | 'decider' | 'value';
  readonly from: ArrowEnd;
  readonly to: ArrowEnd;
  /** Names of values or the depth of a decider; empty for an order. */
  readonly label: string;
}

/** Flow as shapes and arrows, for any format. Ids are letters and digits; labels are plain text on one line. */
export interface Drawing {
  readonly label: string;
  readonly shapes: readonly DrawnShape[];
  readonly arrows: readonly Arrow[];
}

/** Part of a flow that has been drawn. */
interface Drawn {
  readonly id: string;
  first: string;
  last: string;
}

interface OpenFrame {
  readonly flow: Flow;
  readonly drawn: Drawn;
  next: number;
}

/**
 * Returns the drawing of a flow.
 * @throws {TaskpipeError} `USAGE` if the flow cannot run
 */
export function drawingOf(flow: Flow): Drawing {
  const compiled = compile(flow);
  const frames = new Frames(compiled);
  frames.draw(flow);
  const values = valueArrows(compiled);
  const needsStore = values.some(({ from }) => from.id === STORE);
  const store: DrawnShape[] = needsStore ? [{ kind: 'store', id: STORE, label: 'store' }] : [];
  return {
    label: oneLine(flow.name),
    shapes: [...store, ...frames.shapes],
    arrows: [...frames.arrows, ...values],
  };
}

const STORE = 'store';

/** Frames of flows with their contents. They are drawn without recursion, because flows may nest deep. */
class Frames {
  readonly shapes: DrawnShape[] = [];
  readonly arrows: Arrow[] = [];
  readonly #compiled: Compiled;
  readonly #drawn = new Map<Atom | Flow, Drawn>();
  #count = 0;

  constructor(compiled: Compiled) {
    this.#compiled = compiled;
  }

  draw(root: Flow): void {
    const open = [this.#enter(root)];
    for (let top = open.at(-1); top !== undefined; top = open.at(-1)) {
      const part = top.flow.parts[top.next++];
      if (part === undefined) {
        open.pop();
        this.#leave(top, open.at(-1)?.drawn);
      } else if (isFlow(part)) open.push(this.#enter(part));
      else this.#drawn.set(part, this.#node('atom', part.name, top.drawn));
    }
  }

  #enter(flow: Flow): OpenFrame {
    const drawn = { id: `flow${this.#count++}`, first: '', last: '' };
    this.#drawn.set(flow, drawn);
    this.shapes.push({ kind: 'flow', id: drawn.id, label: oneLine(`${flow.name} (${flow.pattern})`) });
    if (flow.retry !== undefined) this.#node('retry', flow.retry.name ?? `${flow.name}_retry`, drawn);
    return { flow, drawn, next: 0 };
  }

  #node(kind: 'atom' | 'retry', name: string, around: Drawn): Drawn {
    const id = idOf(this.#compiled, name);
    this.shapes.push({ kind, id, label: oneLine(name) });
    around.first ||= id;
    around.last = id;
    return { id, first: id, last: id };
  }

  #leave({ flow, drawn }: OpenFrame, around: Drawn | undefined): void {
    if (drawn.first === '') {
      const id = `${drawn.id}empty`;
      this.shapes.push({ kind: 'empty', id, label: '' });
      Object.assign(drawn, { first: id, last: id });
    }
    this.shapes.push({ kind: 'end' });
    if (around !== undefined) {
      around.first ||= drawn.first;
      around.last = drawn.last;
    }
    if (flow.pattern === 'linear')
      for (const [place, part] of flow.parts.slice(1).entries())
        this.#arrow('order', flow.parts[place] as Atom | Flow, part, '');
    for (const { from, to, decider, depth = 'ALL' } of flow.links) {
      if (decider === undefined) this.#arrow('order', from, to, '');
      else this.#arrow('decider', from, to, `decider, else ignore ${depth}`);
    }
  }

  #arrow(kind: Arrow['kind'], from: Atom | Flow, to: Atom | Flow, label: string): void {
    const [a, b] = [this.#drawn.get(from) as Drawn, this.#drawn.get(to) as Drawn];
    this.arrows.push({ kind, label, from: { id: a.id, node: a.last }, to: { id: b.id, node: b.first } });
  }
}

function idOf({ indexes }: Compiled, name: string): string {
  return `atom${indexes.get(name)}`;
}

/** Returns the arrows from each atom that provides values, and from the store, to the atoms that get them. */
function valueArrows(compiled: Compiled): Arrow[] {
  return compiled.atoms.flatMap((atom) => {
    const names = new Map<string, string[]>();
    for (const [from, name] of valuesOf(compiled, atom)) {
      const same = names.get(from);
      if (same === undefined) names.set(from, [name]);
      else same.push(name);
    }
    const to = idOf(compiled, atom.name);
    return [...names].map(([from, all]): Arrow => {
      const ends = { from: { id: from, node: from }, to: { id: to, node: to } };
      return { kind: 'value', ...ends, label: oneLine(all.join(', ')) };
    });
  });
}

/** Yields the values that an atom gets, each with its origin. An optional one has a question mark. */
function* valuesOf(compiled: Compiled, atom: CompiledAtom): Generator<[from: string, name: string]> {
  const { inject = {} } = atom.atom ?? atom.retry ?? {};
  for (const { argument, name, isOptional, providers } of atom.sources) {
    if (Object.hasOwn(inject, name)) continue;
    const provider = providers.at(0);
    const words = `${name}${argument === name ? '' : ` as ${argument}`}${isOptional ? '?' : ''}`;
    yield [provider === undefined ? STORE : idOf(compiled, provider.placed.name), words];
  }
}

/** Returns text as it can be shown on one line: control characters are escaped. */
function oneLine(text: string): string {
  return escapeControls(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t');
}
