import { expect, test } from 'vitest';
import { exec, type LoadOptions, load, save } from '../../../src/index.ts';

const misspelt: unknown = { job: 3, recorder: 1, field: ['a'] };
const only = (name: string): object => ({ [name]: (misspelt as Record<string, unknown>)[name] });

test('a library call rejects an unknown option and suggests the likely one', async () => {
  expect(() => exec(() => 1, only('job'))).toThrow('exec() has no option "job"; did you mean jobs?');
  expect(() => exec(() => 1, only('recorder'))).toThrow('exec() has no option "recorder"');
  expect(() => load('a.csv', only('job'))).toThrow('load() has no option "job"');
  await expect(save((async function* () {})(), '-', only('field'))).rejects.toMatchObject({
    code: 'USAGE',
    message: 'save() has no option "field"; did you mean fields?',
  });
});

test.each([
  [() => load('a.csv', { delimiter: '\\t' }), 'delimiter must be "\\t"; got "\\\\t"'],
  [() => load('a.csv', { delimiter: '--' }), 'delimiter must be one character'],
  [() => load('a.csv', { format: 'cvs' as never }), 'format must be one of csv, '],
  [() => load('a.csv', { maxLine: '16MB' as never }), 'maxLine must be 16777216; got "16MB"'],
  [() => load('a.csv', { uuid: '5' as never }), 'uuid must be 5; got "5"'],
  [() => load('a.csv', { limit: '3' as never }), 'limit must be a whole number of at least 0; got "3"'],
  [() => exec(() => 1, { as: 'run' }), 'as must be a name, and neither uuid nor run; got "run"'],
  [() => exec(() => 1, { perHost: 0 }), 'perHost must be a whole number of at least 1; got 0'],
])('%# a value that the command line refuses is refused in the library, too', (call, message) => {
  expect(call).toThrow(expect.objectContaining({ code: 'USAGE', message: expect.stringContaining(message) }));
});

test('names of --rename are given as pairs or as a map', async () => {
  const namesOf = async (rename: LoadOptions['rename']): Promise<string[]> => {
    for await (const [task] of load([{ a: 1 }], { rename })) return Object.keys(task?.fields ?? {});
    return [];
  };
  expect(await namesOf([['a', 'b']])).toContain('b');
  expect(await namesOf([['a', 'b']])).toEqual(await namesOf(new Map([['a', 'b']])));
});
