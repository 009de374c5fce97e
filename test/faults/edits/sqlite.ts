import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { sh } from '../../support/run.ts';
import type { Edit, Kind } from './edit.ts';
import { wholeFiles } from './whole-files.ts';

/**
 * Returns an edit by SQL. It runs as a process, because a connection of the test would keep its locks after
 * the edit.
 */
function sql(name: string, kind: Kind, ...statements: readonly string[]): Edit {
  return {
    name,
    kind,
    async apply({ path }) {
      const { code, stderr } = await sh(`sqlite3 -bail '${path}'`, { input: `${statements.join(';\n')};\n` });
      if (code !== 0 || stderr !== '') throw new Error(`${name}: ${stderr}`);
    },
  };
}

/** Returns an edit by SQL that fails while another connection is open. */
function alone(name: string, kind: Kind, ...statements: readonly string[]): Edit {
  return { ...sql(name, kind, ...statements), isAlone: true };
}

function bytes(name: string, kind: Kind, change: (bytes: Buffer) => Buffer | string): Edit {
  return { name, kind, apply: ({ path }) => writeFileSync(path, change(readFileSync(path))) };
}

const COPY = 'create table copy as select * from tasks';
/** Returns statements that create the table again, as an import or a table editor does. */
const recreated = (columns: string, more = ''): readonly string[] => [
  'alter table tasks rename to old',
  `create table tasks (${columns})${more}`,
  'insert into tasks (uuid, n, text) select uuid, n, text from old',
  'drop table old',
];

/** Edits of a database. They need the command sqlite3. */
export const sqliteEdits: readonly Edit[] = [
  ...wholeFiles,
  sql('vacuum', 'harmless', 'vacuum'),
  sql('reindex and analyze', 'harmless', 'reindex', 'analyze'),
  alone('another journal mode', 'harmless', 'pragma journal_mode = delete'),
  alone('another page size', 'harmless', 'pragma journal_mode = delete', 'pragma page_size = 8192', 'vacuum'),
  sql('a value edited', 'harmless', "update tasks set text = 'by hand' where n = 1"),
  sql('all values emptied', 'harmless', 'update tasks set n = null, text = null'),
  sql('a value of another type', 'harmless', "update tasks set n = 'seven'"),
  sql('a column added', 'harmless', 'alter table tasks add column note text default "ok"'),
  sql('a column removed', 'harmless', 'alter table tasks drop column text'),
  sql('a column renamed', 'harmless', 'alter table tasks rename column text to words'),
  sql('a generated column', 'harmless', 'alter table tasks add column twice as (n * 2)'),
  sql('a row added', 'harmless', "insert into tasks (uuid, n) values ('mine', 8)"),
  sql('a row added for the next task', 'harmless', "insert into tasks (uuid, n) values ('new', 7)"),
  sql('two uuids swapped', 'harmless', ...swapped('t5', 't6')),
  sql('an index', 'harmless', 'create index by_n on tasks (n)'),
  sql('a view', 'harmless', 'create view odd as select * from tasks where n % 2'),
  sql('a trigger', 'harmless', 'create trigger seen after insert on tasks begin select 1; end'),
  sql('a copy of the table', 'harmless', COPY),
  sql('another table', 'harmless', 'create table notes (uuid text, note text)'),
  sql('the rows in another order', 'harmless', ...recreated('uuid text not null primary key, n, text')),
  sql('the columns in another order', 'harmless', ...recreated('text, n, uuid text not null primary key')),
  sql(
    'recreated without rowid',
    'harmless',
    ...recreated('uuid text primary key, n, text', ' without rowid'),
  ),
  sql(
    'recreated with a unique index',
    'harmless',
    ...recreated('uuid text, n, text'),
    'create unique index u on tasks (uuid)',
  ),
  sql('the first row deleted', 'lossy', 'delete from tasks where n = 1'),
  sql('the last row deleted', 'lossy', 'delete from tasks where n = 6'),
  sql('a row deleted, and the file packed', 'lossy', 'delete from tasks where n = 3', 'vacuum'),
  sql('all rows deleted', 'lossy', 'delete from tasks'),
  sql(
    'a row deleted, and others added',
    'lossy',
    'delete from tasks where n = 2',
    "insert into tasks (uuid) values ('x'), ('y')",
  ),
  sql('one uuid emptied', 'lossy', "update tasks set uuid = '' where n = 2"),
  sql('a uuid changed', 'lossy', "update tasks set uuid = '3' where n = 3"),
  sql('the uuids in capitals', 'lossy', 'update tasks set uuid = upper(uuid)'),
  sql('the table dropped', 'lossy', 'drop table tasks'),
  sql('the table renamed', 'lossy', 'alter table tasks rename to done'),
  sql(
    'the table emptied by another one',
    'lossy',
    ...recreated('uuid text primary key, n, text'),
    'delete from tasks where n > 2',
  ),
  sql('the uuid column renamed', 'broken', 'alter table tasks rename column uuid to id'),
  sql(
    'recreated with a column state',
    'broken',
    ...recreated('uuid text primary key, n, text'),
    'alter table tasks add column state text',
  ),
  sql(
    'the uuid column removed',
    'broken',
    'create table t as select n, text from tasks',
    'drop table tasks',
    'alter table t rename to tasks',
  ),
  sql('the table recreated without a key', 'broken', ...recreated('uuid text, n, text')),
  sql(
    'a row doubled in a table without a key',
    'broken',
    ...recreated('uuid text, n, text'),
    'insert into tasks select * from tasks',
  ),
  sql(
    'the table replaced by a view',
    'broken',
    'alter table tasks rename to t',
    'create view tasks as select n, text from t',
  ),
  bytes('replaced by text', 'broken', () => 'uuid,n,text\nt5,5,x\n'),
  bytes('cut in the middle', 'broken', (all) => all.subarray(0, all.length / 2)),
  bytes('cut to its first 50 bytes', 'broken', (all) => all.subarray(0, 50)),
  bytes('its header overwritten', 'broken', (all) =>
    Buffer.concat([Buffer.alloc(100, 65), all.subarray(100)]),
  ),
  {
    name: 'its helper files removed',
    kind: 'harmless',
    apply({ path }) {
      for (const ending of ['-wal', '-shm']) if (existsSync(path + ending)) rmSync(path + ending);
    },
  },
];

function swapped(a: string, b: string): readonly string[] {
  return [
    `update tasks set uuid = 'swap' where uuid = '${a}'`,
    `update tasks set uuid = '${a}' where uuid = '${b}'`,
    `update tasks set uuid = '${b}' where uuid = 'swap'`,
  ];
}
