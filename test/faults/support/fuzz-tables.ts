import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { escapedCell, readRows } from './delimited.ts';
import { fuzzedText } from './fuzz.ts';
import type { Fuzzing, Trial } from './fuzz-filters.ts';
import { compare, difference, linesIn } from './fuzz-run.ts';
import { isUuid, type Judged, judgeLines, judgeTask, own, recordOf } from './judge.ts';
import { rowsOf } from './oracle.ts';

const HEADER = ['id', 'name', 'note', 'url'];

/** Returns the values of a record as JSON on one line. */
function valuesOf(line: string): string {
  const { uuid, ...fields } = recordOf(line)?.fields ?? {};
  return isUuid(uuid) ? JSON.stringify(Object.values(fields)) : 'no uuid';
}

function judgedRow(number: number, cells: readonly string[], isGood: boolean): Judged {
  const kind = isGood ? 'good' : 'bad';
  return { kind, line: JSON.stringify(cells), text: String(number), uuid: '', fields: {} };
}

/**
 * Returns a trial of CSV or TSV with cells of many kinds, quoted or not, and with bytes inserted anywhere.
 */
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
    // Invalid UTF-8 is replaced by a character that no text of ours contains.
    for (const { cells, line, fault } of readRows(decoded(input), delimiter).slice(1)) {
      const isText = !cells.some((one) => one.includes(NO_TEXT));
      judged[line] = judgedRow(line, cells, fault === undefined && isText && cells.length === HEADER.length);
    }
    for (let i = 0; i < judged.length; i++) judged[i] ??= { ...judgedRow(i, [], true), kind: 'blank' };
    compare(ran, judged, breach, (line, from) => valuesOf(line) === from.line);
    return ran.megabytes;
  };

const NO_TEXT = '\ue000';

/** Returns the text with `NO_TEXT` for invalid bytes, because U+FFFD may be part of the text. */
function decoded(bytes: Buffer): string {
  const lines = judgeLines(bytes, () => ({ kind: 'good' }));
  const text = bytes.toString().split('\n');
  return text
    .map((line, i) => (lines[i + 1]?.kind === 'bad' ? line.replaceAll('\ufffd', NO_TEXT) : line))
    .join('\n');
}

/** Tries plain lines: each becomes a task, whatever it contains, unless it is blank or invalid UTF-8. */
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

/** Tries a JSON array of many kinds of values, with white space of many kinds. */
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

/**
 * Returns a trial of task-save: each uuid has one row, or one record in the rest file, and a second start
 * changes nothing.
 */
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

/** Describes a row whose values differ from those of its record; undefined if there is none. */
function wrongValue(path: string, out: string, good: readonly Judged[]): string | undefined {
  const byUuid = new Map<string, Judged[]>();
  for (const one of good) byUuid.set(one.uuid, [...(byUuid.get(one.uuid) ?? []), one]);
  const text = readFileSync(path, 'utf8');
  if (out.endsWith('.ndjson')) {
    const texts = new Set(good.map(({ text }) => text));
    // task-save removes its own error from a record that had no column, because the record has a row now.
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
