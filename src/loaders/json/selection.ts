/** JSON text, or the selected parts of an object. */
type Part = string | Map<string, Part>;

/** Parts of a record, in the order of selection. Nested parts stay nested. */
export class Selection {
  readonly #root = new Map<string, Part>();

  /** Adds a value. @param names path of the value. @param raw value as JSON text */
  add(names: readonly string[], raw: string): void {
    let level = this.#root;
    for (const name of names.slice(0, -1)) {
      const inner = level.get(name) ?? new Map<string, Part>();
      if (typeof inner === 'string') return; // the whole object is selected
      level.set(name, inner);
      level = inner;
    }
    level.set(names.at(-1) as string, raw);
  }

  /** Returns the members as JSON text. */
  members(): readonly string[] {
    return membersOf(this.#root);
  }
}

function membersOf(parts: ReadonlyMap<string, Part>): string[] {
  return [...parts].map(([name, part]) => {
    const value = typeof part === 'string' ? part : `{${membersOf(part).join(',')}}`;
    return `${JSON.stringify(name)}:${value}`;
  });
}
