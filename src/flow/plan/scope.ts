import type { Branch } from './layout.ts';

/**
 * The nodes whose values an atom can see, level by level: what came before it in its own flow, then in the flow around
 * that, and so on. The nearest come first. After `ScopeWalker` of TaskFlow.
 * @param before what has run when the atom runs
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

/** The atoms in a branch, the last first. */
function nodesOf(branch: Branch): number[] {
  if (branch.head === branch.tail) return [branch.head];
  return [...branch.children].reverse().flatMap(nodesOf);
}
