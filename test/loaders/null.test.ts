/* Lists whose items end with NUL, as `find -print0` writes them. */
import { expect, test } from 'vitest';
import { loaded, tasksOf } from '../support/loaded.ts';
import { sh } from '../support/run.ts';

const options = { null: true } as const;

test('an item may have newlines, spaces, quotes and commas; empty items are skipped', async () => {
  const names = ['a\nb', ' ', '"x', '#y', 'a,b', '\ufeffz', '{', 'é', 'last'];
  const lines = names.map((line) => ({ line }));
  expect(await tasksOf(`\0${names.join('\0')}`, options)).toEqual(lines);
  expect(await tasksOf(`${names.join('\0')}\0\0`, options)).toEqual(lines);
});

test('names of one letter are not mistaken for UTF-16', async () => {
  expect(await tasksOf('a\0b\0c\0', options)).toEqual(['a', 'b', 'c'].map((line) => ({ line })));
});

test('an item that is not UTF-8 keeps its bytes as base64', async () => {
  const input = Buffer.from('caf\xe9\0\xff\xfe\0plain\0', 'latin1');
  expect(await tasksOf(input, { ...options, field: 'path' })).toEqual([
    { path_base64: 'Y2Fm6Q==' },
    { path_base64: '//4=' },
    { path: 'plain' },
  ]);
});

test('--encoding decodes items, --comment and --skip leave some out, and long ones are rejected', async () => {
  const latin = Buffer.from('caf\xe9\0', 'latin1');
  expect(await tasksOf(latin, { ...options, encoding: 'latin1' })).toEqual([{ line: 'café' }]);
  expect(await tasksOf('x\0#y\0z\0', { ...options, skip: 1, comment: '#' })).toEqual([{ line: 'z' }]);
  for (const length of [1, 3, 100]) {
    const { tasks, bad } = await loaded('ab\0abcdef\0c\0', { ...options, maxLine: 4 }, length);
    expect(tasks).toEqual([{ line: 'ab' }, { line: 'c' }]);
    expect(bad).toMatchObject([{ line: 2, code: 'LONG' }]);
  }
});

test('--uuid-fields makes the uuid from the bytes of the item, and --select keeps them', async () => {
  const command = "printf 'caf\\351\\0plain\\0' | task-load -0 --field f --uuid-fields f --select f --quiet";
  const { stdout } = await sh(command);
  const { stdout: expected } = await sh(
    `python3 -c 'import hashlib, uuid
for name in (b"caf\\xe9", b"plain"):
    print(uuid.UUID(bytes=hashlib.md5(uuid.NAMESPACE_URL.bytes + name).digest(), version=3))'`,
  );
  const [first, second] = expected.trim().split('\n');
  expect(stdout).toBe(`{"uuid":"${first}","f_base64":"Y2Fm6Q=="}\n{"uuid":"${second}","f":"plain"}\n`);
});

test('says what to type if the list has no NUL, or has some without --null', async () => {
  const without = await sh("printf 'a\\nb\\n' | task-load -0");
  expect(without.stderr).toContain(
    'stdin: read as one line, since it has no NUL (--null): find needs -print0',
  );
  const unexpected = await sh("printf 'abc\\0def\\0ghi\\n' | task-load --format lines");
  expect(unexpected.stderr).toContain('stdin: has NUL characters; a list of find -print0 needs --null');
});

test('--null applies only to lists', async () => {
  const { code, stderr } = await sh('task-load -0 --format csv', { input: 'a\n1\n' });
  expect({ code, stderr }).toEqual({
    code: 2,
    stderr: expect.stringContaining('--null has no effect on csv; it is for lines'),
  });
});
