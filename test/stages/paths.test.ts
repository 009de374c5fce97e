/* Options of task-load with paths of nested attributes and with names that need quotes. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { nameUuid } from '../../src/core/ids/index.ts';
import { freshFolder, sh } from '../support/run.ts';

/** Loads one line of NDJSON. Returns its uuid, the record without it, and the messages. */
async function loaded(line: string, args: string): Promise<{ uuid: string; rest: string; stderr: string }> {
  const { stdout, stderr } = await sh(`task-load --format ndjson --quiet ${args}`, { input: `${line}\n` });
  const [, uuid = '', rest = ''] = /^\{"uuid":"([^"]*)",?(.*)\}\n$/.exec(stdout) ?? [];
  return { uuid, rest, stderr };
}

const NESTED = '{"id":7,"a":{"b":{"c": 1.10},"d":"x","e":null},"a.d":"own","f.g":{"h":2}}';
const DONE =
  '{"uuid":"u","id":7,"result":{"json":{"sku":"S1","n":1.10},"x":2},"run":{"state":"SUCCESS","as":"result"}}';

test.each([
  ['a.b.c', '1.10'],
  ['a.b', '{"c": 1.10}'],
  ['a.d', 'own'],
  ['a.e', 'null'],
  ['f.g.h', '2'],
  ['id,a.b.c', '7\u001f1.10'],
])('--uuid-fields %s makes the uuid of the values at these paths', async (path, name) => {
  expect((await loaded(NESTED, `--uuid-fields ${path}`)).uuid).toBe(nameUuid(name));
});

test.each(['a.b.x', 'a.b.c.d', 'id.x', 'a.', '.a', 'a..b', 'b'])(
  '--uuid-fields %s rejects a record without that path',
  async (path) => {
    const { stderr } = await loaded(NESTED, `--uuid-fields ${path}`);
    expect(stderr).toContain(`stdin:1: no attribute "${path}" (--uuid-fields)`);
  },
);

test.each([
  ['a.b.c,id', '"a":{"b":{"c":1.10}},"id":7'],
  ['a.b.c,id,a.e', '"a":{"b":{"c":1.10},"e":null},"id":7'],
  ['a.b,a.b.c', '"a":{"b":{"c": 1.10}}'],
  ['a.b.c,a.b', '"a":{"b":{"c": 1.10}}'],
  ['a.d', '"a.d":"own"'],
  ['f.g.h,x.y', '"f.g":{"h":2}'],
  ['uuid,id', '"id":7'],
])('--select %s keeps these parts and their nesting', async (names, rest) => {
  expect((await loaded(NESTED, `--select ${names}`)).rest).toBe(rest);
});

test('--require accepts paths, and null is missing but "null" is not', async () => {
  expect((await loaded(NESTED, '--require a.b.c,a.b')).stderr).toBe('');
  expect((await loaded(NESTED, '--require a.e')).stderr).toContain('"a.e" is missing or empty (--require)');
  expect((await loaded(NESTED, '--require a.x')).stderr).toContain('"a.x" is missing or empty (--require)');
  expect((await loaded('{"a":"null"}', '--require a')).rest).toBe('"a":"null"');
});

test.each([
  ['a.b.c=c', '"id":7,"a":{"b":{},"d":"x","e":null},"a.d":"own","f.g":{"h":2},"c":1.10'],
  ['a.b=b,a.d=d', '"id":7,"a":{"d":"x","e":null},"d":"own","f.g":{"h":2},"b":{"c": 1.10}'],
  ['x.y=z', NESTED.slice(1, -1)],
])('--rename %s moves a nested attribute to the top', async (pairs, rest) => {
  expect((await loaded(NESTED, `--rename ${pairs}`)).rest).toBe(rest);
});

test('--rename rejects two attributes under one name', async () => {
  const { stderr } = await loaded(NESTED, '--rename a.b=id');
  expect(stderr).toContain('--rename a.b=id would put two attributes under one name');
  const twice = await loaded(NESTED, '--rename a.b=x,f.g.h=x');
  expect(twice.stderr).toContain('--rename f.g.h=x would put two attributes under one name');
  expect((await loaded(NESTED, '--rename a.b=x,none=x')).rest).toContain('"x":{"c": 1.10}');
});

test('the result of an earlier run can become new tasks', async () => {
  expect(await loaded(DONE, '')).toMatchObject({ uuid: 'u', rest: '"id":7' });
  const uuid = nameUuid('S1');
  expect(await loaded(DONE, '--uuid-fields result.json.sku')).toMatchObject({ uuid, rest: '"id":7' });
  expect(await loaded(DONE, '--uuid-fields sku --rename result.json.sku=sku')).toMatchObject({
    uuid,
    rest: '"id":7,"sku":"S1"',
  });
  expect((await loaded(DONE, '--select id,result.json.n')).rest).toBe('"id":7,"result":{"json":{"n":1.10}}');
  expect((await loaded(DONE, '--select id,run.state')).rest).toBe('"id":7');
  expect((await loaded(DONE, '--rename result=old')).rest).toBe(
    '"id":7,"old":{"json":{"sku":"S1","n":1.10},"x":2}',
  );
});

test('names with commas, equals signs and quotes work on the command line, in variables and in a config file', async () => {
  const cwd = freshFolder();
  writeFileSync(join(cwd, 'a.csv'), 'id,"last, first","a=b","say ""hi"""\n1,x,y,z\n');
  const line = '"last, first":"x","c":"y","say \\"hi\\"":"z"';
  const select = '"last, first",c,"say ""hi"""';
  writeFileSync(
    join(cwd, 'list.json'),
    JSON.stringify({ select: ['last, first', 'c', 'say "hi"'], rename: ['"a=b"=c'] }),
  );
  writeFileSync(join(cwd, 'lines.conf'), `select=${select}\nrename="a=b"=c\n`);
  const run = async (args: string, env = {}): Promise<string> => {
    const { stdout } = await sh(`task-load a.csv --quiet ${args}`, { cwd, env });
    return stdout.replace(/^\{"uuid":"[^"]*",|\}\n$/g, '');
  };
  expect(await run(`--select '${select}' --rename '"a=b"=c'`)).toBe(line);
  expect(await run('', { TASK_SELECT: select, TASK_RENAME: '"a=b"=c' })).toBe(line);
  expect(await run('--config list.json')).toBe(line);
  expect(await run('--config lines.conf')).toBe(line);
  expect(await run(`--uuid-fields '"last, first"' --require '"a=b"' --select id`)).toBe('"id":"1"');
  const columns = await sh(
    `task-load a.csv --quiet --columns 'a,"b,c",1,2' --select '1,"b,c"' --uuid-fields a`,
    { cwd },
  );
  expect(columns.stdout).toContain(',"1":"y","b,c":"x"}');
});

test('task-save --fields accepts quoted names too', async () => {
  const { stdout } = await sh(
    `task-load --format csv --quiet | task-save - --format csv --quiet --fields '"last, first",id'`,
    { input: 'id,"last, first"\n1,x\n' },
  );
  expect(stdout).toBe('"last, first",id\nx,1\n');
});

test('a name that differs only in spaces is suggested', async () => {
  const { stderr, code } = await sh("task-load --format csv --select 'id, name'", {
    input: 'id,name\n1,x\n',
  });
  expect(code).toBe(65);
  expect(stderr).toContain(
    'stdin:1: no column " name" (--select); there are id, name; did you mean "name"? Spaces are part of a name',
  );
});
