import { BLOCKS, LEAVES, PRELUDE, RETURNS, STRAYS, THROWS, WAITS, WRITES } from './hostile-code.ts';

/** Forms in which user code runs: on the main thread, on threads, or as a flow. */
export const MODES = {
  '--module': '--module work.mjs -j 3',
  '--threads': '--module work.mjs --threads 2 -j 3',
  '--flow serial': '--flow work.mjs -j 3',
  '--flow parallel': '--flow work.mjs --engine parallel -j 3',
} as const;
export type Mode = keyof typeof MODES;

/** Hostile module, with the effects that it may have. */
export interface HostileModule {
  readonly mode: Mode;
  /** Text of its file. */
  readonly code: string;
  /** Its code without the parts that all modules share. */
  readonly own: string;
  /** True if it blocks the main thread forever: the stage must be stopped. */
  readonly blocks: boolean;
  /** True if loading it never ends. */
  readonly neverLoads: boolean;
  /** True if it throws outside of its tasks, which stops the stage. */
  readonly strays: boolean;
}

/** Number of kinds of tasks in a module. */
const CASES = 6;

/** Makes a hostile module. @param random numbers from 0 to 1 */
export function hostileModule(random: () => number, mode: Mode): HostileModule {
  const pick = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T;
  const perhaps = (share: number, of: readonly string[]): string => (random() < share ? pick(of) : '');
  const blocks = random() < 0.15;
  const neverLoads = random() < 0.06;
  const strays = random() < 0.08;
  const top = [perhaps(0.3, WRITES), perhaps(0.2, LEAVES)].filter((line) => line !== '');
  if (neverLoads) top.push('await new Promise(() => {});');
  const cases = Array.from({ length: CASES }, (_, n) => {
    const before = [perhaps(0.3, WRITES), perhaps(0.15, LEAVES), perhaps(0.3, WAITS)];
    if (strays && n === 2) before.push(pick(STRAYS));
    if (blocks && n === 4) before.push(pick(BLOCKS));
    const ending = random() < 0.45 ? `throw ${pick(THROWS)};` : `return ${pick(RETURNS)};`;
    return `    case ${n}: {\n      ${[...before, ending].filter((line) => line !== '').join('\n      ')}\n    }`;
  });
  const body = `  switch (task.n % ${CASES}) {\n${cases.join('\n')}\n  }`;
  const isAsync = body.includes('await ') || random() < 0.5;
  const work = `const work = ${isAsync ? 'async ' : ''}(task, ctx) => {\n${body}\n};`;
  const own = [...top, work, ...exportOf(mode, pick)].join('\n');
  // A listener that throws is such an error too.
  const throwsLater = strays || own.includes("'abort', trap");
  return { mode, own, code: `${PRELUDE}${own}\n`, blocks, neverLoads, strays: throwsLater };
}

function exportOf(mode: Mode, pick: (of: readonly string[]) => string): readonly string[] {
  if (!mode.startsWith('--flow')) return ['export default work;'];
  const pattern = mode.endsWith('parallel') ? 'unordered' : 'linear';
  return [
    `import { ${pattern} } from 'taskpipe/flow';`,
    `const revert = () => { throw ${pick(THROWS)}; };`,
    "const first = { name: 'first', requires: ['n'], provides: 'a', execute: () => 1, revert };",
    "const second = { name: 'second', requires: ['n'], provides: 'b', execute: work };",
    `export default ${pattern}('hostile').add(first, second);`,
  ];
}
