import type { Edit, Kind } from './edit.ts';
import { textEdit, texts } from './texts.ts';
import { wholeFiles } from './whole-files.ts';

type Json = Readonly<Record<string, unknown>>;

function lines(name: string, kind: Kind, change: (lines: readonly string[]) => readonly string[]): Edit {
  return textEdit(name, kind, (text) =>
    change(text.trimEnd().split('\n'))
      .map((line) => `${line}\n`)
      .join(''),
  );
}

function records(name: string, kind: Kind, change: (record: Json, i: number) => unknown): Edit {
  return lines(name, kind, (all) => all.map((line, i) => JSON.stringify(change(JSON.parse(line), i))));
}

const MINE = '{"uuid":"mine","by":"hand"}';

export const ndjsonEdits: readonly Edit[] = [
  ...wholeFiles,
  ...texts,
  lines('spaces, as Python writes them', 'harmless', (all) =>
    all.map((line) => line.replaceAll('":', '": ').replaceAll(',"', ', "')),
  ),
  lines('spaces around each line', 'harmless', (all) => all.map((line) => `  ${line}\t`)),
  lines('escapes for what is not ASCII', 'harmless', (all) =>
    all.map((line) => line.replace(/[^ -~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)),
  ),
  records('the keys reversed', 'harmless', (record) =>
    Object.fromEntries(Object.entries(record).toReversed()),
  ),
  records('a key added', 'harmless', (record) => ({ ...record, note: ['a', { b: 1 }] })),
  records('a key removed', 'harmless', ({ text: _, ...record }) => record),
  records('a key renamed', 'harmless', ({ text, ...record }) => ({ ...record, words: text })),
  records('a value of another type', 'harmless', (record) => ({ ...record, n: null })),
  lines('sorted', 'harmless', (all) => all.toSorted()),
  lines('upside down', 'harmless', (all) => all.toReversed()),
  lines('blank lines between', 'harmless', (all) => all.flatMap((line) => [line, ''])),
  lines('a row added', 'harmless', (all) => [...all, MINE]),
  lines('a row added before the others', 'harmless', (all) => [MINE, ...all]),
  textEdit('a row added without a line end', 'harmless', (text) => text + MINE),
  lines('a row added for the next task', 'harmless', (all) => [...all, '{"uuid":"new"}']),
  lines('a row doubled', 'harmless', (all) => [...all, all[1] as string]),
  lines('all rows doubled', 'harmless', (all) => [...all, ...all]),
  lines('the first row deleted', 'lossy', (all) => all.slice(1)),
  lines('the last row deleted', 'lossy', (all) => all.slice(0, -1)),
  lines('a row deleted in the middle', 'lossy', (all) => all.filter((_, i) => i !== 2)),
  lines('a row deleted, and others added', 'lossy', (all) => [...all.slice(1), MINE, '{"uuid":"x"}']),
  records('one uuid removed', 'lossy', ({ uuid, ...record }, i) => (i === 1 ? record : { uuid, ...record })),
  records('one uuid emptied', 'lossy', (record, i) => (i === 1 ? { ...record, uuid: '' } : record)),
  records('a uuid made a number', 'lossy', (record) =>
    record.uuid === '0003' ? { ...record, uuid: 3 } : record,
  ),
  records('all uuids removed', 'lossy', ({ uuid: _, ...record }) => record),
  records('the uuids renamed', 'lossy', ({ uuid, ...record }) => ({ id: uuid, ...record })),
  textEdit('cut in the middle of the last row', 'lossy', (text) => text.slice(0, -8)),
  lines('a row without a uuid', 'unclear', (all) => [...all, '{"total":6}']),
  textEdit('pretty-printed', 'broken', (text) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.stringify(JSON.parse(line), null, 2))
      .join('\n'),
  ),
  textEdit('a JSON array', 'broken', (text) => `[${text.trimEnd().split('\n').join(',')}]\n`),
  textEdit(
    'a JSON array, a line a record',
    'broken',
    (text) => `[\n${text.trimEnd().split('\n').join(',\n')}\n]\n`,
  ),
  textEdit(
    'a JSON array without a line end',
    'broken',
    (text) => `[${text.trimEnd().split('\n').join(',')}]`,
  ),
  textEdit('all rows joined', 'broken', (text) => `${text.replaceAll('\n', '')}\n`),
  textEdit('all rows joined without a line end', 'broken', (text) => text.replaceAll('\n', '')),
  textEdit('all rows joined with spaces', 'broken', (text) => text.replaceAll('\n', ' ')),
  textEdit('all rows joined with commas', 'broken', (text) => text.trimEnd().replaceAll('\n', ',')),
  lines('a comma behind a row', 'broken', (all) => all.map((line, i) => (i === 1 ? `${line},` : line))),
  lines('two rows joined', 'broken', ([a = '', b = '', ...more]) => [a + b, ...more]),
  lines('single quotes', 'broken', (all) =>
    all.map((line, i) => (i === 0 ? line.replaceAll('"', "'") : line)),
  ),
  textEdit('a comment', 'broken', (text) => `${text}// checked\n`),
];
