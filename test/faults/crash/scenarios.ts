/** What is run, and then cut short. */
export interface Scenario {
  readonly name: string;
  /** The output; its ending says the format. */
  readonly out: string;
  readonly ledger?: string;
  readonly widen?: true;
  /** NDJSON that was saved by a run that ended well. */
  readonly before?: readonly string[];
  /** Whether someone has then removed the last line end of the output. */
  readonly isOpen?: true;
  /** The input of the run that is cut short, and of those that follow. */
  readonly records: readonly string[];
  /** Every such byte is where a write may end. */
  readonly step: number;
  /** Kills that came before: each ends a start, and the one after the last is cut short at every point. */
  readonly killed?: readonly Kill[];
}

/** When a process was killed. */
export interface Kill {
  /** A write to this file, or to one that has this in its name, where it begins with a dot: */
  readonly file: string;
  /** Which write to it, from 0. */
  readonly write: number;
  /** How much of that write is done: 0 to 1. */
  readonly part: number;
}

const LEDGER = 'done.jsonl';

const FAILURE = '"run":{"state":"FAILURE","error":{"code":"E"}}';

/** Values that are hard to tell apart once they are cut. */
const HARD = ['two\\nlines, \\"q\\"', 'é,😀', '\\t=1', 'b,c\\",d\\n', '', 'a\\r\\n', '\u2028'];

/** So many records, of which every fourth failed, or none. */
function hard(from: number, count: number, fails: boolean): string[] {
  return Array.from({ length: count }, (_, i) => {
    const n = from + i;
    const uuid = n % 3 === 0 ? `é"${n}` : `u${n}`;
    const run = fails && n % 4 === 2 ? `,${FAILURE}` : '';
    return `{"uuid":${JSON.stringify(uuid)},"x":"${HARD[n % HARD.length]}"${run}}`;
  });
}

/** Enough records that their rows, and the lines of the ledger, take several sectors. */
function wide(count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    return `{"uuid":"task ${i}","x":"${'wide, '.repeat(4 + (i % 5))}","y":${i}}`;
  });
}

/**
 * What is tried for every format: commits, at every byte. A start locks each file by a program of its own, which is
 * most of what it costs: so most states are of runs that write few files.
 */
function commits(out: string): readonly Scenario[] {
  const ledger = LEDGER;
  return [
    { name: 'a first run', out, ledger, records: hard(0, 4, false), step: 1 },
    { name: 'a first run without a ledger', out, records: hard(0, 24, false), step: 1 },
    {
      name: 'a run that appends',
      out,
      ledger,
      before: hard(0, 6, true),
      records: hard(4, 5, false),
      step: 5,
    },
    {
      name: 'a run that completes a last row',
      out,
      ledger,
      before: hard(0, 5, false),
      isOpen: true,
      records: hard(3, 4, false),
      step: 5,
    },
    { name: 'many rows', out, ledger, records: wide(30), step: 61 },
    { name: 'many rows without a ledger', out, records: wide(30), step: 61 },
  ];
}

/** What is tried for two formats: a start after a crash, which is cut short itself. */
function recoveries(out: string): readonly Scenario[] {
  const records = hard(0, 6, true);
  const ledger = LEDGER;
  const torn: Kill = { file: out, write: 1, part: 0.7 };
  const written: Kill = { file: out, write: 1, part: 1 };
  const untorn = hard(0, 6, false);
  const step = 7;
  const killed = (file: string, write: number, part: number): readonly Kill[] => [{ file, write, part }];
  return [
    { name: 'a recovery of torn rows', out, ledger, records, killed: [torn], step },
    {
      name: 'a recovery of rows that were not synced',
      out,
      ledger,
      records: untorn,
      killed: [written],
      step,
    },
    { name: 'a recovery of a torn ledger', out, ledger, records, killed: killed(ledger, 1, 0.9), step },
    { name: 'a recovery without a ledger', out, records: untorn, killed: [torn], step },
    {
      name: 'a recovery without a ledger of rows that were not synced',
      out,
      records,
      killed: [written],
      step,
    },
    {
      name: 'a recovery of a recovery',
      out,
      ledger,
      records: untorn,
      killed: [torn, { file: '.torn', write: 0, part: 0.5 }],
      step,
    },
    {
      name: 'a start after a kill in the merge',
      out,
      records,
      killed: killed('.rest.ndjson.new', 0, 0.5),
      step,
    },
    { name: 'a start after a kill before the first row', out, records, killed: killed(out, 0, 0), step },
  ];
}

/** All that is tried. */
export const scenarios: readonly Scenario[] = [
  ...commits('out.csv'),
  ...commits('out.tsv'),
  ...commits('out.ndjson'),
  { name: 'a run of which some fails', out: 'out.csv', ledger: LEDGER, records: hard(0, 6, true), step: 2 },
  ...recoveries('out.csv'),
  ...recoveries('out.ndjson'),
  {
    name: 'a run that widens',
    out: 'out.csv',
    ledger: LEDGER,
    widen: true,
    before: hard(0, 4, true),
    records: [...hard(4, 3, true), '{"uuid":"wide","x":"1","y":"2"}'],
    step: 3,
  },
];
