export const STAGES = ['task-load', 'task-exec', 'task-save', 'task-done mark'] as const;

/** Activity of a stage when the event comes, for every stage. */
const MOODS = ['idle', 'busy', 'blocked'] as const;

/** Events that end a stage. */
const EVENTS = [
  'SIGINT',
  'SIGTERM',
  'SIGHUP',
  'SIGTERM to the group',
  'SIGTERM while stopped',
  'second SIGINT',
  'reader gone',
] as const;

export type Event = (typeof EVENTS)[number];

export interface Cell {
  readonly name: (typeof STAGES)[number];
  /**
   * idle: the input is open, and nothing arrives. busy: input arrives without end. blocked: the same, and the
   * output is not read. hanging: the server never answers. starting: the stage has not read its first task.
   * waiting: it opens a FIFO that has no writer. looping: a module blocks the main thread forever.
   */
  readonly mood: (typeof MOODS)[number] | 'hanging' | 'starting' | 'waiting' | 'looping';
  readonly event: Event;
}

export const CODES: Readonly<Record<Event, number>> = {
  SIGINT: 130,
  SIGTERM: 143,
  SIGHUP: 129,
  'SIGTERM to the group': 143,
  'SIGTERM while stopped': 143,
  'second SIGINT': 130,
  'reader gone': 141,
};

export function signalOf(event: Event): NodeJS.Signals {
  return (/SIG\w+/.exec(event)?.[0] ?? 'SIGPIPE') as NodeJS.Signals;
}

export function signalCells(): Cell[] {
  const signals = EVENTS.filter((event) => event !== 'reader gone');
  return [
    ...STAGES.flatMap((name) => MOODS.flatMap((mood) => EVENTS.map((event) => ({ name, mood, event })))),
    ...STAGES.flatMap((name) => signals.map((event) => ({ name, mood: 'starting', event }) as const)),
    ...STAGES.flatMap((name) => signals.map((event) => ({ name, mood: 'waiting', event }) as const)),
    ...EVENTS.map((event) => ({ name: 'task-exec', mood: 'hanging', event }) as const),
    ...signals.map((event) => ({ name: 'task-exec', mood: 'looping', event }) as const),
  ];
}

const COMMANDS: Readonly<Record<Cell['name'], string>> = {
  'task-load': 'task-load --format ndjson --quiet',
  'task-exec': 'task-exec --http --jobs 20 --quiet',
  'task-save': 'task-save out.ndjson --tee --flush 500 --flush-interval 20ms --ledger ledger --quiet',
  'task-done mark': 'task-done mark ledger --quiet',
};

/** Commands that open the FIFO `never`. */
const WAITING: Readonly<Record<Cell['name'], string>> = {
  'task-load': 'task-load never --format ndjson --quiet',
  'task-exec': 'task-exec --http --events never --quiet',
  'task-save': 'task-save out.ndjson --rejects never --quiet',
  'task-done mark': 'task-done mark ledger --rejects never --quiet',
};

/** Module that never returns, in the file that `commandOf` names. */
export const LOOP = 'export default (task) => { if (task.uuid !== "t0") for (;;); };\n';

export function commandOf({ name, mood, event }: Cell): readonly string[] {
  const grace = event === 'second SIGINT' ? ' --grace 1h' : ' --grace 200ms';
  if (mood === 'waiting') return WAITING[name].split(' ');
  if (mood === 'looping') return `task-exec --module loop.mjs --jobs 2 --quiet${grace}`.split(' ');
  return `${COMMANDS[name]}${mood === 'hanging' ? grace : ''}`.split(' ');
}

/** Returns whether a cell may end with this code. */
export function isRight({ mood, event }: Cell, code: number | string): boolean {
  if (code === CODES[event]) return true;
  if (mood === 'looping') return code === 'SIGKILL';
  if (mood === 'starting' && code === 0) return true; // it read the end of its input before the signal arrived
  // A stage does not handle signals before its start. When a process exits, Node removes its handlers some
  // milliseconds before the kernel ends it. A shell sees the same code.
  return code === signalOf(event) && (mood === 'starting' || mood === 'waiting' || event === 'second SIGINT');
}
