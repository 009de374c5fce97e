import { type LeafValues, Shape } from './json-shape.ts';

/** Number of records without a known shape of which one is made into a shape, so that a short run makes none. */
const PATIENCE = 16;
/** Number of cached shapes. */
const KNOWN = 4;
/** Maximum number of shapes that are made: making one takes as long as parsing a hundred records. */
const TRIED = 32;
/** Longest line that is matched: for longer ones matching is not faster. */
const LONG = 64 * 1024;

/** A cache of the shapes of one input. */
export class Shapes {
  /** Shape of the last match; a field instead of a result object, which would be allocated for each line. */
  shape: Shape | undefined;
  /** Values of the last match; undefined if they are read on demand. */
  values: LeafValues | undefined;
  /** Known shapes, the last match first. */
  readonly #known: Shape[] = [];
  #tried = 0;
  #matches = 0;
  #misses = 0;

  /** Returns the uuid of a line, and sets `shape` and `values`; returns undefined if no known shape matches. */
  match(line: string): string | undefined {
    if (line.length > LONG) return undefined;
    for (let i = 0; i < this.#known.length; i++) {
      const shape = this.#known[i] as Shape;
      const values = shape.isRead ? shape.match(line) : undefined;
      const uuid = shape.isRead ? values?.[shape.uuid] : shape.scan(line);
      if (uuid === undefined) continue;
      this.#matches++;
      this.shape = shape;
      this.values = values;
      if (i > 0) this.#putFirst(shape);
      return uuid;
    }
    return undefined;
  }

  /** Learns from a record that matches no known shape. */
  missed(line: string): void {
    if (line.length > LONG || ++this.#misses % PATIENCE > 0) return;
    if (this.#tried++ < TRIED) {
      const shape = Shape.of(line);
      if (shape !== undefined)
        this.#putFirst(this.#known.find(({ source }) => source === shape.source) ?? shape);
    } else if (this.#misses > this.#matches) this.#known.length = 0; // the records have no common shape
  }

  #putFirst(shape: Shape): void {
    const others = this.#known.filter((other) => other !== shape);
    this.#known.splice(0, KNOWN, shape, ...others.slice(0, KNOWN - 1));
  }
}
