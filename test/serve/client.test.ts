/* The OpenAPI document, as validators see it, and as a client that is generated from it works. */
import { readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createConfig, lintFromString } from '@redocly/openapi-core';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test } from 'vitest';
import { freshFolder, root, sh } from '../support/run.ts';
import { ask, type Serving, serve } from './service.ts';

const TOKEN = 'a-token-of-some-length';
const WORK = `export default async (task, { signal, logger }) => {
  if (task.bad) logger.error('that went wrong');
  if (task.bad) throw new Error('bad');
  if (task.wait) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  return { twice: task.n * 2 };
};\n`;

/** Starts a service that runs `WORK`. */
function working(cwd: string, ...more: readonly string[]): Promise<Serving> {
  writeFileSync(join(cwd, 'work.mjs'), WORK);
  const exec = 'task-exec --module work.mjs --quiet --retries 0 -j 4 --grace 1s';
  return serve(cwd, ['--port', '0', '--exec', exec, '--log-dir', 'logs', ...more]);
}

describe.each([
  ['with a token', ['--token', TOKEN]],
  ['without a token', []],
])('the OpenAPI document of a service %s', { timeout: 60_000 }, (_, more) => {
  const documentOf = async (): Promise<string> =>
    (await ask(`${(await working(freshFolder(), ...more)).url}/openapi.json`)).text;

  test('is valid by the schema of OpenAPI 3.1, and all its references resolve', async () => {
    const validator = new Validator();
    const { valid, errors } = await validator.validate(JSON.parse(await documentOf()));
    expect([valid, errors, validator.version]).toEqual([true, undefined, '3.1']);
    expect(JSON.stringify(validator.resolveRefs())).not.toContain('"$ref"');
  });

  test('is valid by the strict rules of Redocly, examples included', async () => {
    const config = await createConfig({
      extends: ['recommended-strict'],
      rules: {
        'no-invalid-schema-examples': 'error',
        'no-invalid-parameter-examples': 'error',
        'no-unused-components': 'off', // clients import the named schemas
      },
    });
    const problems = await lintFromString({ source: await documentOf(), config });
    expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual(
      [],
    );
  });
});

/** Compiler options of a strict project. */
const OPTIONS = {
  ...{ strict: true, noUncheckedIndexedAccess: true, exactOptionalPropertyTypes: true },
  skipLibCheck: false,
  ...{ module: 'nodenext', target: 'es2023', lib: ['es2023', 'dom'], types: ['node'], outDir: 'out' },
};
/** Generator with the TypeScript that it needs; the project has a newer one. */
const GENERATOR = join(root, 'node_modules/client-generator/node_modules/.bin/openapi-typescript');

/** Generates a client for a service, and compiles a program that uses it. @returns the folder of the program */
async function compiled(url: string, name: string, text: string): Promise<string> {
  const cwd = freshFolder();
  symlinkSync(join(root, 'node_modules'), join(cwd, 'node_modules'));
  const made = await sh(`${GENERATOR} ${url}/openapi.json -o api.d.ts`, { cwd });
  expect([made.code, made.stderr]).toEqual([0, '']);
  writeFileSync(join(cwd, name), text);
  writeFileSync(join(cwd, 'package.json'), '{"type":"module"}');
  writeFileSync(
    join(cwd, 'tsconfig.json'),
    JSON.stringify({ compilerOptions: OPTIONS, files: [name, 'api.d.ts'] }),
  );
  const { code, stdout } = await sh(`${join(root, 'node_modules/.bin')}/tsc`, { cwd });
  expect([code, stdout]).toEqual([0, '']);
  return cwd;
}

describe('a client of openapi-typescript and openapi-fetch', { timeout: 120_000 }, () => {
  test('type-checks in strict mode, and posts, reads, lists, cancels, forgets, and gets typed errors', async () => {
    const { url } = await working(freshFolder(), '--token', TOKEN);
    const cwd = await compiled(
      url,
      'calls.ts',
      readFileSync(join(root, 'test/serve/client/calls.ts'), 'utf8'),
    );
    const { stdout, stderr } = await sh(`node out/calls.js ${new URL(url).origin} ${TOKEN}`, { cwd });
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      result: { result: { twice: 42 }, error: null, attempts: 1, n: 21 },
      failure: 'bad',
      ...{ failed: true, twoStates: true, search: true, nextPage: true, counts: 1 },
      forgetRunning: [409, 'STATE'],
      ...{ cancel: 'ok', forget: 200, gone: [null, 'error', 'TASK'] },
      ...{ batch: 2, log: true, history: true, health: 'ok', invalid: 'QUERY', noToken: [401, 'TOKEN'] },
    });
  });

  test('works as in the manual', async () => {
    const { url } = await working(freshFolder());
    const page = readFileSync(join(root, 'docs/task-serve.md'), 'utf8');
    const [, example = ''] = /^```ts\n\/\/ client\.ts\n(.*?)^```/ms.exec(page) ?? [];
    const text = example.replaceAll('http://127.0.0.1:8081', new URL(url).origin);
    const cwd = await compiled(url, 'client.ts', text);
    const { stdout, stderr } = await sh('node out/client.js', { cwd });
    expect([stdout, stderr]).toEqual(['SUCCESS { twice: 42 }\n0 failed\n', '']);
  });
});
