import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import pMap from 'p-map';
import { type Ended, freshFolder, sh } from '../support/run.ts';
import type { Program } from './support/program.ts';
import type { Breach, Report } from './support/report.ts';
import {
  breachesAfterFault,
  breachesAtEnd,
  command,
  line,
  prepare,
  type Saving,
  type Whole,
} from './support/saving.ts';

/**
 * Returns a saving with an output of 3 KB, a ledger of 6 KB, and a rest file of 3 or 13 KB.
 * @param pad bytes of padding in each failure
 */
function savingOf(pad: number): Saving {
  const lines = Array.from({ length: 40 }, (_, i) => {
    const failed = i % 2 === 0 ? line(`t${i}c`, 'FAILURE', { pad: 'x'.repeat(pad) }) : '';
    return line(`t${i}a`, 'SUCCESS') + line(`t${i}b`, 'SUCCESS') + failed;
  });
  const options = '--fields uuid,text';
  return { name: `failures of ${pad} bytes`, out: 'out.csv', options, parts: [lines.join('')] };
}

/** Saving with its expected result and its folder before the run. */
interface Scene {
  readonly saving: Saving;
  readonly whole: Whole;
  readonly before: string;
}

async function sceneOf(program: Program, saving: Saving): Promise<Scene> {
  const before = join(freshFolder(), 'before');
  mkdirSync(before);
  writeFileSync(join(before, 'in'), saving.parts.join(''));
  return { saving, whole: await prepare(program, saving, before), before };
}

/** Run that may have had too little space, and a second one with enough. */
interface Runs {
  readonly label: string;
  readonly first: Ended;
  readonly firstFolder: string;
  readonly second: () => Promise<Ended>;
  readonly secondFolder: string;
}

/** Returns the breaches, and whether the first run had too little space. */
async function judge({ saving, whole }: Scene, runs: Runs): Promise<{ isFull: boolean; breaches: Breach[] }> {
  const { label, first, firstFolder, second, secondFolder } = runs;
  // A run that reports success must have saved everything.
  if (first.code === 1)
    return {
      isFull: false,
      breaches: breachesAtEnd(saving, whole, firstFolder, first, `${label} with room:`),
    };
  const breaches = breachesAfterFault(saving, whole, firstFolder, label);
  if (first.code !== 74)
    breaches.push({ kind: 'exit code', words: `${label} ${first.code}: ${first.stderr}` });
  if (!/(out\.csv|l\.jsonl|standard output).*(no space|disk full|size limit)/.test(first.stderr))
    breaches.push({ kind: 'other', words: `${label} it says ${first.stderr}` });
  breaches.push(...breachesAtEnd(saving, whole, secondFolder, await second(), `${label} the run after it:`));
  return { isFull: true, breaches };
}

/** Command that creates a private mount namespace; undefined if the system does not allow it. */
export const mounts: string | undefined = await (async () => {
  for (const alone of ['unshare -Urm', 'unshare -m']) {
    const { code } = await sh(`${alone} bash -c 'mkdir d && mount -t tmpfs -o size=64k none d'`);
    if (code === 0) return alone;
  }
  return undefined;
})();

/**
 * Saves to a file system of 64 KB with little free space, so that it becomes full at the rows, the ledger,
 * the rest file or the merge of rest files; then runs again with more space.
 * @param free free space in KB. Default: 4, 8, … 64
 */
export async function fullDisks(
  program: Program,
  free: readonly number[] = Array.from({ length: 16 }, (_, i) => (i + 1) * 4),
): Promise<Report> {
  const scene = await sceneOf(program, savingOf(500));
  const save = command(scene.saving);
  const script = (kilobytes: number): string => `
    mkdir d first second && mount -t tmpfs -o size=64k none d && cd d || exit
    head -c ${(64 - kilobytes) * 1024} /dev/zero > ballast
    ${save} < ../in > ../first/tee 2> ../first/stderr; echo $? > ../first/code; cp -a out* l.jsonl ../first
    mount -o remount,size=1m . || exit
    ${save} < ../in > ../second/tee 2> ../second/stderr; echo $? > ../second/code; cp -a out* l.jsonl ../second`;
  const tryOne = async (kilobytes: number): ReturnType<typeof judge> => {
    const cwd = copyOf(scene);
    const { stderr } = await sh(`${mounts} bash -c '${script(kilobytes)}'`, { cwd, env: program.env });
    const end = (folder: string): Ended => {
      const textOf = (name: string): string => {
        const path = join(folder, name);
        return existsSync(path) ? readFileSync(path, 'utf8') : stderr;
      };
      return {
        stdout: '',
        stderr: textOf('stderr'),
        code: Number.parseInt(textOf('code'), 10),
        signal: null,
      };
    };
    const [firstFolder, secondFolder] = [join(cwd, 'first'), join(cwd, 'second')];
    return judge(scene, {
      label: `${kilobytes} KB free:`,
      first: end(firstFolder),
      firstFolder,
      second: async () => end(secondFolder),
      secondFolder,
    });
  };
  const judged = await pMap(free, tryOne, { concurrency: 2 });
  return reportOf('disks', judged);
}

/**
 * Saves under a file size limit of some KB, with SIGXFSZ ignored or not.
 * @param blocks limits in KB. Default: 1 to 13
 */
export async function limitedFiles(
  program: Program,
  blocks: readonly number[] = Array.from({ length: 13 }, (_, i) => i + 1),
): Promise<Report> {
  const scenes = [await sceneOf(program, savingOf(20)), await sceneOf(program, savingOf(500))];
  const trials = blocks.flatMap((limit) =>
    scenes.map((scene, i) => async (): ReturnType<typeof judge> => {
      const cwd = copyOf(scene);
      const trap = (limit + i) % 2 === 0 ? 'trap "" XFSZ;' : '';
      // The standard output is not limited.
      const run = (first: string): Promise<Ended> =>
        sh(`(${first} exec ${command(scene.saving)} < in) | cat > tee; exit \${PIPESTATUS[0]}`, {
          cwd,
          env: program.env,
        });
      return judge(scene, {
        label: `${scene.saving.name}, ulimit -f ${limit}; ${trap}:`,
        first: await run(`ulimit -f ${limit}; ${trap}`),
        firstFolder: cwd,
        second: () => run(''),
        secondFolder: cwd,
      });
    }),
  );
  return reportOf('limits', await pMap(trials, (trial) => trial(), { concurrency: 2 }));
}

function copyOf({ before }: Scene): string {
  const cwd = mkdtempSync(`${before}-`);
  cpSync(before, cwd, { recursive: true });
  return cwd;
}

/** Counts the runs that had too little space. */
function reportOf(figure: string, judged: readonly Awaited<ReturnType<typeof judge>>[]): Report {
  return {
    figures: { [figure]: judged.filter(({ isFull }) => isFull).length },
    breaches: judged.flatMap(({ breaches }) => breaches),
  };
}
