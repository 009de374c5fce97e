/** Run that is cut at every point. */
export interface Scenario {
  readonly name: string;
  /** Path of the output. Its extension selects the format. */
  readonly out: string;
  readonly ledger?: string;
  readonly widen?: true;
  /** NDJSON that an earlier, successful run has saved. */
  readonly before?: readonly string[];
  /** True if the last line end of the output was removed before the run. */
  readonly isOpen?: true;
  /** Input of the run that is cut, and of the runs after it. */
  readonly records: readonly string[];
  /** Distance in bytes between two ends of a partial write. */
  readonly step: number;
  /** Earlier kills. Each ends a run; the run after the last one is cut at every point. */
  readonly killed?: readonly Kill[];
}

/** Moment of a kill. */
export interface Kill {
  /** Name of the file that was being written. A name that begins with a dot matches files that contain it. */
  readonly file: string;
  /** Number of the write to it, from 0. */
  readonly write: number;
  /** Share of that write that was done, from 0 to 1. */
  readonly part: number;
}

const LEDGER = 'done.jsonl';

const FAILURE = '"run":{"state":"FAILURE","error":{"code":"E"}}';

/** Values whose rows are hard to distinguish when they are cut. */
const HARD = ['two\\nlines, \\"q\\"', 'é,😀', '\\t=1', 'b,c\\",d\\n', '', 'a\\r\\n', '\u2028'];

/** Returns this many records. With `fails`, one record in four has failed. */
function hard(from: number, count: number, fails: boolean): string[] {
  return Array.from({ length: count }, (_, i) => {
    const n = from + i;
    const uuid = n % 3 === 0 ? `é"${n}` : `u${n}`;
    const run = fails && n % 4 === 2 ? `,${FAILURE}` : '';
    return `{"uuid":${JSON.stringify(uuid)},"x":"${HARD[n % HARD.length]}"${run}}`;
  });
}

/** Returns records whose rows and ledger lines take several sectors. */
function wide(count: number): string[] {
  return Array.from({ length: count }, (_, i) => {
    return `{"uuid":"task ${i}","x":"${'wide, '.repeat(4 + (i % 5))}","y":${i}}`;
  });
}

/**
 * Returns the scenarios for every format: commits, cut at every byte. Most of them write few files, because
 * each start locks each file by a child process, and that takes most of the time.
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

/** Returns the scenarios for two formats: recoveries after a crash, which are cut themselves. */
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
