import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { escapedCell, readRows } from './delimited.ts';
import { fuzzedText } from './fuzz.ts';
import type { Fuzzing, Trial } from './fuzz-filters.ts';
import { compare, difference, linesIn } from './fuzz-run.ts';
import { isUuid, type Judged, judgeLines, judgeTask, own, recordOf } from './judge.ts';
import { rowsOf } from './oracle.ts';

const HEADER = ['id', 'name', 'note', 'url'];

/** Values as JSON, of one line. */
function valuesOf(line: string): string {
  const { uuid, ...fields } = recordOf(line)?.fields ?? {};
  return isUuid(uuid) ? JSON.stringify(Object.values(fields)) : 'no uuid';
}

function judgedRow(number: number, cells: readonly string[], isGood: boolean): Judged {
  const kind = isGood ? 'good' : 'bad';
  return { kind, line: JSON.stringify(cells), text: String(number), uuid: '', fields: {} };
}

/** CSV or TSV with all sorts of cells, quoted or not, and bytes put in anywhere. */
export const loadTable =
  (format: 'csv' | 'tsv'): Trial =>
  async ({ random, make, run, breach }, count) => {
    const delimiter = format === 'csv' ? ',' : '\t';
    const cell = (n: number): string => {
      const text = random.below(3) > 0 ? `${n}` : make(n).slice(0, random.below(200));
      if (random.below(2) === 0 && !/["\r\n,\t]/.test(text)) return text;
      return format === 'tsv' ? escapedCell(text) : `"${text.replaceAll('"', '""')}"`;
    };
    const text = fuzzedText(count, random, 8, (n) => HEADER.map(() => cell(n)).join(delimiter));
    const input = Buffer.concat([Buffer.from(`${HEADER.join(delimiter)}\n`), text]);
    const ran = await run(`task-load --format ${format} --duplicates keep`, input);
    const judged: Judged[] = [];
    // Bytes that are no UTF-8, as a character that no text of ours has.
    for (const { cells, line, fault } of readRows(decoded(input), delimiter).slice(1)) {
      const isText = !cells.some((one) => one.includes(NO_TEXT));
      judged[line] = judgedRow(line, cells, fault === undefined && isText && cells.length === HEADER.length);
    }
    for (let i = 0; i < judged.length; i++) judged[i] ??= { ...judgedRow(i, [], true), kind: 'blank' };
    compare(ran, judged, breach, (line, from) => valuesOf(line) === from.line);
    return ran.megabytes;
  };

const NO_TEXT = '\ue000';

/** Text, with `NO_TEXT` for bytes that are none: U+FFFD may be in the text itself. */
function decoded(bytes: Buffer): string {
  const lines = judgeLines(bytes, () => ({ kind: 'good' }));
  const text = bytes.toString().split('\n');
  return text
    .map((line, i) => (lines[i + 1]?.kind === 'bad' ? line.replaceAll('\ufffd', NO_TEXT) : line))
    .join('\n');
}

/** Plain lines: each becomes a task, whatever it is, unless it is blank or no text. */
export const loadLines: Trial = async ({ random, make, run, breach }, count) => {
  const input = fuzzedText(count, random, 4, make);
  const ran = await run('task-load --format lines --duplicates keep', input);
  compare(
    ran,
    judgeLines(input, () => ({ kind: 'good' })),
    breach,
    (line, from) => valuesOf(line) === JSON.stringify([from.line]),
  );
  return ran.megabytes;
};

/** A JSON array of all sorts of values, laid out in all sorts of ways. */
export const loadArray: Trial = async ({ random, make, run, breach }, count) => {
  const elements: string[] = [];
  while (elements.length < count) {
    const element = make(elements.length);
    try {
      JSON.parse(element);
      elements.push(random.below(4) > 0 ? element : JSON.stringify({ id: element }));
    } catch {}
  }
  const space = (): string => random.of(['', '', '\n', ' ', '\r\n\t', '\n\n']);
  const text = `[${elements.map((element) => space() + element + space()).join(',')}]\n`;
  const ran = await run('task-load --format json --duplicates keep', Buffer.from(text));
  const seen = ran.lines.length + ran.bad.length;
  if (seen !== count) breach(`${seen} records or rejects for ${count} elements`, 'lost');
  const strange = ran.lines.find((line) => !isUuid(own(recordOf(line)?.fields ?? {}, 'uuid')));
  if (strange !== undefined) breach(`no task came out: ${strange}`);
  return ran.megabytes;
};

/** Saves records: every uuid has one row, or one record in the rest file; then a second start finds nothing amiss. */
export const save =
  (out: string, options = ''): Trial =>
  async (fuzzing: Fuzzing, count) => {
    const { random, make, run, breach } = fuzzing;
    const input = fuzzedText(count, random, 4, make);
    const command = `task-save ${out} --sync none ${options}`;
    const ran = await run(command, input);
    const judged = judgeLines(input, judgeTask);
    const wrong = judged.flatMap(({ kind }, number) => (kind === 'bad' ? [number] : []));
    const rejected = difference(
      [...ran.bad].sort((a, b) => a - b),
      wrong,
    );
    if (rejected !== undefined) breach(`of the rejected lines, ${rejected}`, 'lost');
    const good = judged.filter(({ kind }) => kind === 'good');
    const { uuids, isWhole } = rowsOf(join(ran.cwd, out));
    if (!isWhole) breach('the output does not end whole', 'torn');
    if (new Set(uuids).size < uuids.length) breach('a uuid has two rows', 'double');
    const restFile = join(ran.cwd, `${out}.rest.ndjson`);
    const rest = existsSync(restFile) ? linesIn(readFileSync(restFile, 'utf8')) : [];
    const left = rest.map((line) => String(recordOf(line)?.fields.uuid));
    const all = difference([...uuids, ...left].sort(), [...new Set(good.map(({ uuid }) => uuid))].sort());
    if (all !== undefined) breach(`of the uuids in ${out} and the rest file, ${all}`, 'lost');
    const values = wrongValue(join(ran.cwd, out), out, good);
    if (values !== undefined) breach(values);
    const again = await run(`${command} --quiet`, Buffer.alloc(0), ran.cwd);
    if (/moved|cut|lost/.test(again.stderr) || rowsOf(join(ran.cwd, out)).uuids.length !== uuids.length)
      breach(`a second start changed the output: ${again.stderr}`);
    return ran.megabytes;
  };

/** A row whose values are not those of its record, in words. */
function wrongValue(path: string, out: string, good: readonly Judged[]): string | undefined {
  const byUuid = new Map<string, Judged[]>();
  for (const one of good) byUuid.set(one.uuid, [...(byUuid.get(one.uuid) ?? []), one]);
  const text = readFileSync(path, 'utf8');
  if (out.endsWith('.ndjson')) {
    const texts = new Set(good.map(({ text }) => text));
    // A saver's own words on a record that had no place are taken back: it has one now.
    const isTakenBack = ({ fields }: Judged): boolean =>
      /"code":"(COLUMNS|VALUE)"/.test(JSON.stringify(fields.run));
    return linesIn(text).find((line) => {
      const records = byUuid.get(String(recordOf(line)?.fields.uuid)) ?? [];
      return !texts.has(line) && !records.some(isTakenBack);
    });
  }
  const [header, ...rows] = readRows(text, out.endsWith('.tsv') ? '\t' : ',');
  for (const { cells } of rows) {
    const records = byUuid.get(cells[header?.cells.indexOf('uuid') ?? -1] as string) ?? [];
    const isOf = ({ fields }: Judged): boolean =>
      (header?.cells ?? []).every((name, i) => {
        const value = own(fields, name);
        return typeof value !== 'string' || value === cells[i] || name.includes('.');
      });
    if (!records.some(isOf)) return `the row ${JSON.stringify(cells)} is of no record`;
  }
  return undefined;
}
