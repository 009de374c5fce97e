import { Shape, type Values } from './shape.ts';

/** Of so many records that no shape matched, one is made a shape: a short run makes none. */
const PATIENCE = 16;
/** Shapes that are known at once. */
const KNOWN = 4;
/** So many are tried in all: making one takes as long as parsing a hundred records. */
const TRIED = 32;
/** Longer lines are not looked at: one of many values takes its time anyway. */
const LONG = 64 * 1024;

/** The shapes of the records of one input. */
export class Shapes {
  /** The shape of the line that `match` matched last; that saves an object for each line. */
  shape: Shape | undefined;
  /** The one that matched last comes first. */
  readonly #known: Shape[] = [];
  #tried = 0;
  #matches = 0;
  #misses = 0;

  /** The values of a line, whose shape is then in `shape`; undefined where none that is known matches. */
  match(line: string): Values | undefined {
    if (line.length > LONG) return undefined;
    for (let i = 0; i < this.#known.length; i++) {
      const shape = this.#known[i] as Shape;
      const values = shape.match(line);
      if (values === undefined) continue;
      this.#matches++;
      this.shape = shape;
      if (i > 0) this.#putFirst(shape);
      return values;
    }
    return undefined;
  }

  /** Is told of a record that no known shape matches. */
  missed(line: string): void {
    if (line.length > LONG || ++this.#misses % PATIENCE > 0) return;
    if (this.#tried++ < TRIED) {
      const shape = Shape.of(line);
      if (shape !== undefined)
        this.#putFirst(this.#known.find(({ source }) => source === shape.source) ?? shape);
    } else if (this.#misses > this.#matches) this.#known.length = 0; // they do not look alike
  }

  #putFirst(shape: Shape): void {
    const others = this.#known.filter((other) => other !== shape);
    this.#known.splice(0, KNOWN, shape, ...others.slice(0, KNOWN - 1));
  }
}
