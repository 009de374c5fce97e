import type { LeafValues, Shape } from '../../core/record/json-shape.ts';

/** Place of a column among the values of a shape. */
interface Place {
  /** Index of the value; 0 if the shape has none. */
  readonly at: number;
  readonly isText: boolean;
}

/**
 * Mapper of records with a known shape to columns, by the rules of `ColumnMapper`: each value is copied as written.
 */
export class ShapeColumns {
  /** Path of each column. */
  readonly #names: readonly string[];
  readonly #isStrict: boolean;
  readonly #found: Set<number>;
  readonly #places = new Map<Shape, readonly Place[] | undefined>();
  /** Cells of the current record; the array is reused for all records. */
  readonly #cells: string[] = [];

  /**
   * @param isStrict true if an attribute without a column is a fault
   * @param found gets the columns that a record had an attribute for
   */
  constructor(names: readonly string[], isStrict: boolean, found: Set<number>) {
    this.#names = names;
    this.#isStrict = isStrict;
    this.#found = found;
  }

  /** Returns the cells of a record, or undefined if its shape does not map to columns one to one. */
  cellsOf(shape: Shape, values: LeafValues): readonly string[] | undefined {
    const places = this.#places.has(shape) ? this.#places.get(shape) : this.#learn(shape);
    if (places === undefined) return undefined;
    const cells = this.#cells;
    for (let i = 0; i < places.length; i++) {
      const { at, isText } = places[i] as Place;
      const value = at === 0 ? '' : (values[at] as string);
      cells[i] = !isText && value === 'null' ? '' : value;
    }
    return cells;
  }

  #learn(shape: Shape): readonly Place[] | undefined {
    const places = this.#fits(shape) ? this.#names.map((name) => placeOf(name, shape)) : undefined;
    this.#places.set(shape, places);
    for (const [column, { at }] of (places ?? []).entries()) if (at > 0) this.#found.add(column);
    return places;
  }

  /**
   * Returns true if each value has at most one column, no object has one, and nothing lacks a column that it
   * needs.
   */
  #fits({ leaves, objects }: Shape): boolean {
    const names = new Set(this.#names);
    const paths = leaves.map(({ path }) => path);
    if (new Set(paths).size < paths.length || objects.some((path) => names.has(path))) return false;
    if (!this.#isStrict) return true;
    const isInside = (path: string): boolean =>
      [...paths, ...objects].some((at) => at.startsWith(`${path}.`));
    return paths.every((path) => names.has(path)) && objects.every(isInside);
  }
}

function placeOf(name: string, { leaves }: Shape): Place {
  const index = leaves.findIndex(({ path }) => path === name);
  return { at: index + 1, isText: leaves[index]?.isText ?? true };
}
