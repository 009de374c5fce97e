import { after, inLanes, isOf, notes, randomFrom } from './support/live.ts';
import { startPages } from './support/pages.ts';
import type { Program } from './support/program.ts';
import type { Report } from './support/report.ts';
import { inRound, type Round, run, type Start, type Way } from './support/round.ts';

/*
 * Stages of a live pipeline, or all of them, are killed at random moments. The same command then runs to its
 * end.
 */

const VICTIMS = ['load', 'exec', 'save', 'all'] as const;
/** Number of pipelines that run at the same time. */
const LANES = 3;
/**
 * Maximum number of attempts if a kill comes too late, each at half of the moment before: the last one is while the program
 * still starts.
 */
const TRIES = 9;

const WAYS: readonly Way[] = [
  { name: 'CSV', format: 'csv', out: 'out.csv', hasLedger: true, marks: false },
  { name: 'NDJSON', format: 'ndjson', out: 'out.ndjson', hasLedger: true, marks: false },
  { name: 'gzip', format: 'csv', out: 'out.csv.gz', hasLedger: true, marks: false },
  { name: 'zstd', format: 'ndjson', out: 'out.ndjson.zst', hasLedger: true, marks: false },
  { name: 'no ledger', format: 'csv', out: 'out.csv', hasLedger: false, marks: false },
  { name: 'task-done mark', format: 'ndjson', out: 'out.csv', hasLedger: true, marks: true },
];

/**
 * Kills stages of live pipelines.
 * @param each number of kills of each of load, exec, save and all of them
 * @param seed seed of the moments of the kills
 */
export async function killedStages(program: Program, each: number, seed = Date.now()): Promise<Report> {
  const pages = await startPages();
  const random = randomFrom(seed);
  const report = notes();
  const start = { program, pages, notes: report };
  try {
    const lives = new Map<Way, Lives>();
    await inLanes(LANES, WAYS, async (way) => {
      await inRound({ ...start, way, label: `${way.name}, not killed` }, async (round) => {
        lives.set(way, await livesOf(round));
      });
    });
    await inLanes(LANES, plansOf(each, random), async ({ way, kills }) => {
      const label = `seed ${seed}, ${way.name}`;
      await killedInTurn({ ...start, way, label }, kills, lives.get(way) as Lives);
    });
  } finally {
    pages.close();
  }
  return report;
}

/** Kill that counts for its victim. */
interface Plan {
  readonly victim: string;
  /** Name of the stage; for `save` it can be the stage that marks. */
  readonly stage: string;
  /** Moment as a share of the life of that stage, from 0 to 1. */
  readonly moment: number;
}

/** Returns all kills, spread over the life of their victims: one, two or three per pipeline. */
function plansOf(each: number, random: () => number): { way: Way; kills: readonly Plan[] }[] {
  const kills = VICTIMS.flatMap((victim) =>
    Array.from({ length: each }, (_, i) => {
      // More kills come late, when there is more to lose.
      return { victim, moment: Math.sqrt((i + random()) / each), order: random() };
    }),
  ).sort((a, b) => a.order - b.order);
  const plans: { way: Way; kills: readonly Plan[] }[] = [];
  while (kills.length > 0) {
    const way = WAYS[plans.length % WAYS.length] as Way;
    const some = kills.splice(0, 1 + Math.floor(random() * 3)).map(({ victim, moment }) => {
      const stage = victim === 'save' && way.marks && random() < 0.5 ? 'mark' : victim;
      return { victim, stage, moment };
    });
    plans.push({ way, kills: some });
  }
  return plans;
}

/**
 * Kills a pipeline several times in a row, then runs it to its end. A kill that comes too late is repeated
 * earlier.
 */
async function killedInTurn(start: Start, kills: readonly Plan[], lives: Lives): Promise<void> {
  for (let i = 0, left = kills; i < TRIES && left.length > 0; i++) {
    const missed: Plan[] = [];
    await inRound(start, async (round) => {
      for (const kill of left) {
        const at = kill.moment * (lives.get(kill.stage) as number);
        round.label = `${start.label}, ${kill.stage} killed at ${at.toFixed()} ms`;
        if (await run(round, { victim: kill.stage, at })) start.notes.count(kill.victim);
        else missed.push({ ...kill, moment: kill.moment / 2 });
      }
      await run(round);
    });
    left = missed;
  }
}

/** Duration of each stage, and of the pipeline as `all`, in milliseconds. */
type Lives = ReadonlyMap<string, number>;

async function livesOf(round: Round): Promise<Lives> {
  const lives = new Map<string, number>();
  await run(round, undefined, async ({ group, pids, end }, began) => {
    const watched = [...pids].map(async ([name, known]) => {
      for (const pid = await known; isOf(group, pid); ) await after(5);
      lives.set(name, performance.now() - began);
    });
    await Promise.all([...watched, end]);
    lives.set('all', performance.now() - began);
  });
  return lives;
}
