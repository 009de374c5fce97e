import { expect, test } from 'vitest';
import { exec, load, save } from '../../../src/index.ts';

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
