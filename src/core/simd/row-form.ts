import { isUtf8 } from 'node:buffer';
import { type SimdModule, simdModule, Tables, takesOver } from './simd-module.ts';
import { WrittenBlock } from './written-block.ts';

/*
 * Tasks as rows of CSV by WebAssembly: `src/assembly/save/csv-cells.ts` writes the rows of lines whose values have columns, while
 * the lines are read. Its simple twins are `ColumnMapper` and `rowEncoder`, which make the rows of all other tasks. The
 * benchmark rows `save`, `save-nested` and `save-long` justify it.
 */

/** Table of a saver: its columns and how it writes cells. */
export interface RowTable {
  /** Path of the attribute in each column. */
  readonly paths: readonly string[];
  /** True if an attribute without a column is a fault. */
  readonly isStrict: boolean;
  readonly delimiter: string;
  readonly newline: '\n' | '\r\n';
}

/** Number of bytes in one call that makes WebAssembly worth loading. */
const WORTH = 16 * 1024;
/** Maximum number of names in a tree. */
const MOST_NAMES = 1000;

const NEWLINE = 10;

/** Name in the tree of the paths of columns. */
interface Node {
  readonly name: string;
  readonly children: Node[];
  isColumn: boolean;
  /** Number of the node in the memory of the module. */
  index: number;
}

/** Writer of tasks as rows of a table. */
export class RowForm {
  readonly #table: RowTable;
  /** All nodes, in the order in which they are in the memory: the children of a node are neighbours. */
  readonly #nodes: readonly Node[];
  readonly #columns: readonly Node[];
  readonly #ours: readonly Node[];
  /** Columns that some record had an attribute for. */
  readonly #found: Set<number>;
  #module: SimdModule | 'none' | undefined;

  private constructor(table: RowTable, root: Node, columns: readonly Node[], found: Set<number>) {
    this.#table = table;
    this.#columns = columns;
    this.#found = found;
    this.#ours = ['uuid', 'run', 'run.state'].map((path) => nodeAt(root, path));
    const nodes = [root];
    for (const node of nodes) nodes.push(...node.children); // the loop visits them too
    for (const [i, node] of nodes.entries()) node.index = i;
    this.#nodes = nodes;
  }

  /**
   * Returns the form of a table; undefined if its rows cannot be written in this way.
   * @param found gets the columns that a record had an attribute for
   */
  static of(table: RowTable, found: Set<number>): RowForm | undefined {
    const { paths, delimiter } = table;
    if (new Set(paths).size < paths.length || !/^[ -!#-[\]-~\t]$/.test(delimiter)) return undefined;
    const root: Node = { name: '', children: [], isColumn: false, index: 0 };
    const columns = paths.map((path) => nodeAt(root, path));
    for (const column of columns) column.isColumn = true;
    const isFlat = columns.every(({ children }) => children.length === 0);
    // A column `run` holds an object, whose state would have to be found too.
    if (!isFlat || paths.includes('run') || paths.length > MOST_NAMES) return undefined;
    return new RowForm(table, root, columns, found);
  }

  /**
   * Writes the rows of whole lines. Returns undefined if no row was written.
   * @param bytes the last line has no newline
   */
  write(bytes: Buffer): WrittenBlock | undefined {
    if (bytes.length >= WORTH) this.#module ??= simdModule() ?? 'none';
    const module = this.#module;
    if (module === undefined || module === 'none') return undefined;
    if (bytes.length >= module.input.length || !isUtf8(bytes)) return undefined;
    if (takesOver(this) && !this.#setTables(module)) {
      this.#module = 'none';
      return undefined;
    }
    bytes.copy(module.input);
    module.input[bytes.length] = NEWLINE;
    const count = module.writeRows(bytes.length + 1);
    this.#look(module);
    return module.ends[count - 1] === 0 ? undefined : new WrittenBlock(this, bytes, count, module);
  }

  /** Adds the columns that records had an attribute for. */
  #look({ tables, number }: SimdModule): void {
    if (this.#found.size === this.#columns.length) return;
    const size = number('nodeSize');
    for (const [i, { index }] of this.#columns.entries())
      if (tables.readInt32LE(index * size + IS_USED) !== 0) this.#found.add(i);
  }

  /** Writes the tree to the memory of the module. Returns false if it does not fit. */
  #setTables(module: SimdModule): boolean {
    const size = module.number('nodeSize');
    const names = this.#nodes.map(({ name }) => Buffer.from(name));
    const room = names.reduce((sum, { length }) => sum + length + 20, this.#nodes.length * (size + 4));
    if (room > module.tables.length) return false;
    const tables = new Tables(module);
    const nodes = Buffer.alloc(this.#nodes.length * size);
    const start = tables.add(nodes);
    const addressOf = ({ index }: Node): number => start + index * size;
    for (const [i, { children, isColumn }] of this.#nodes.entries()) {
      const name = names[i] as Buffer;
      const [child] = children;
      const numbers = [
        tables.add(name),
        name.length,
        child ? addressOf(child) : 0,
        children.length,
        +isColumn,
      ];
      for (const [j, one] of numbers.entries()) nodes.writeInt32LE(one, i * size + 4 * j);
    }
    nodes.copy(module.tables);
    const { delimiter, newline, isStrict } = this.#table;
    const columns = tables.addNumbers(this.#columns.map(addressOf));
    const ours = this.#ours.map(addressOf);
    module.setTree(start, +isStrict);
    module.setRowForm(
      columns,
      this.#columns.length,
      ...ours,
      delimiter.charCodeAt(0),
      newline === '\n' ? 0 : 1,
    );
    return true;
  }
}

/** Offset in a node of whether a row was written with its value: see `find-cells.ts`. */
const IS_USED = 36;

/** Returns the node of a path, which is made if there is none. */
function nodeAt(root: Node, path: string): Node {
  let node = root;
  for (const name of path.split('.')) {
    let child = node.children.find((one) => one.name === name);
    if (child === undefined) {
      child = { name, children: [], isColumn: false, index: 0 };
      node.children.push(child);
    }
    node = child;
  }
  return node;
}
