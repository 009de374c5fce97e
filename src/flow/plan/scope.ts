import type { Branch } from './layout.ts';

/**
 * Returns the nodes whose values an atom can see, level by level: earlier parts of its own flow, then of the
 * flow around it, and so on. Within a level, the nearest come first. Modelled on `ScopeWalker` of TaskFlow.
 * @param before nodes that have run when the atom runs
 */
export function levelsOf(branch: Branch, before: ReadonlySet<number>): number[][] {
  const levels: number[][] = [];
  for (let at = branch; at.parent !== undefined; at = at.parent) {
    const { children } = at.parent;
    const earlier = children.slice(0, children.indexOf(at)).reverse();
    levels.push(earlier.flatMap(nodesOf).filter((node) => before.has(node)));
  }
  return levels;
}

/** Returns the nodes of the atoms in a branch, the last one first. */
function nodesOf(branch: Branch): number[] {
  if (branch.head === branch.tail) return [branch.head];
  return [...branch.children].reverse().flatMap(nodesOf);
}
