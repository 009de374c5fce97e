/* The OpenAPI document describes what the service answers, and types of a generated client follow from it. */
import { writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { freshFolder } from '../support/run.ts';
import { type Answer, ask, serve, submit, until } from './service.ts';

// Both come with Fastify.
const require = createRequire(createRequire(import.meta.url).resolve('fastify'));
const { default: Ajv } = require('ajv/dist/2020.js');
const { default: addFormats } = require('ajv-formats');

type Json = Answer['body'];
const JSON_TYPE = 'application/json';

/** Returns a check of values by a schema of the document. */
function checkerOf(document: Json): (schema: object, value: unknown) => string {
  const ajv = new Ajv({ strict: true, strictTypes: false, strictRequired: false, allErrors: true });
  addFormats(ajv);
  ajv.addVocabulary(['example', 'components']);
  return (schema, value) => {
    const check = ajv.compile({ ...schema, components: document.components });
    return check(value) ? '' : JSON.stringify(check.errors);
  };
}

/** Returns all operations of a document with their paths and methods. */
function operationsOf(document: Json): { path: string; method: string; operation: Json }[] {
  return Object.entries<Json>(document.paths).flatMap(([path, methods]) =>
    Object.entries<Json>(methods).map(([method, operation]) => ({ path, method, operation })),
  );
}

const POST = { method: 'POST' };
const NDJSON = { 'content-type': 'application/x-ndjson' };
const TOKEN = 'a-token-of-some-length';

describe('openapi.json', { timeout: 60_000 }, () => {
  test('has for every operation an id, a summary, examples, errors, and the security that is needed', async () => {
    const cwd = freshFolder();
    const open = await serve(cwd, ['--port', '0', '--exec', 'cat']);
    const closed = await serve(freshFolder(), ['--port', '0', '--exec', 'cat', '--token', TOKEN]);
    const { body: document } = await ask(`${open.url}/openapi.json`);
    const { body: guarded } = await ask(`${closed.url}/openapi.json`);
    expect(document.openapi).toBe('3.1.0');
    expect(document.servers).toEqual([{ url: '/', description: 'this service' }]);
    expect([document.security, guarded.security]).toEqual([[], [{ token: [] }]]);
    expect(guarded.components.securitySchemes.token).toMatchObject({ type: 'http', scheme: 'bearer' });
    const all = operationsOf(document);
    const ids = all.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(all.length).toBe(11);
    const check = checkerOf(document);
    for (const { path, method, operation } of all) {
      const name = `${method} ${path}`;
      expect(operation, name).toMatchObject({
        operationId: expect.stringMatching(/^[a-z]\w+$/),
        summary: expect.any(String),
      });
      expect(Object.keys(operation.responses), name).toEqual(expect.arrayContaining(['200', '503']));
      for (const [status, { description, content }] of Object.entries<Json>(operation.responses)) {
        expect(description, `${name} ${status}`).toMatch(/\.$/);
        for (const { schema, example } of Object.values<Json>(content)) {
          expect(schema.type, `${name} ${status}`).toBeDefined();
          if (example !== undefined) expect(check(schema, example), `example of ${name} ${status}`).toBe('');
        }
      }
      for (const parameter of operation.parameters ?? [])
        if (parameter.example !== undefined)
          expect(check(parameter.schema, parameter.example), parameter.name).toBe('');
      for (const { schema, example } of Object.values<Json>(operation.requestBody?.content ?? {}))
        expect(check(schema, example), name).toBe('');
    }
    const secured = operationsOf(guarded).filter(({ operation }) => '401' in operation.responses);
    expect(secured.length, 'all but the health check').toBe(10);
  });

  test('describes each answer, in every state of a task', async () => {
    const cwd = freshFolder();
    writeFileSync(
      join(cwd, 'work.mjs'),
      'export default async (task) => { if (task.bad) throw new Error("bad"); if (task.wait) await new Promise((r) => setTimeout(r, 60_000)); return task.n; };\n',
    );
    const exec = 'task-exec --module work.mjs --quiet --retries 0 -j 4 --grace 0s';
    const { url } = await serve(cwd, ['--port', '0', '--exec', exec, '--log-dir', 'logs', '--backlog', '30']);
    const { origin, pathname } = new URL(url);
    const { body: document } = await ask(`${url}/openapi.json`);
    const check = checkerOf(document);
    const seen = new Set<string>();
    const described = async (
      method: string,
      path: string,
      query = '',
      init: RequestInit = {},
    ): Promise<Answer> => {
      const answer = await ask(origin + path + query, { ...init, method });
      const { schema } = document.paths[path][method.toLowerCase()].responses[answer.code].content[JSON_TYPE];
      expect(check(schema, answer.body), `${method} ${path}${query} ${answer.code} ${answer.text}`).toBe('');
      seen.add(`${method} ${path} ${answer.code}`);
      return answer;
    };
    const json = (body: string): RequestInit => ({ body, headers: { 'content-type': JSON_TYPE } });
    const submitted = async (data: object): Promise<string> =>
      (await described('POST', pathname, '', json(JSON.stringify({ data })))).body.data.task_id;
    const good = await submitted({ n: 1 });
    const bad = await submitted({ bad: true });
    const running = await submitted({ wait: true });
    await until(
      `${url}/tasks`,
      ({ body }) =>
        body.data.counts.SUCCESS === 1 && body.data.counts.FAILURE === 1 && body.data.counts.RUNNING === 1,
    );
    for (const id of [good, bad, running, 'none']) {
      await described('GET', pathname, `?task_id=${id}&stack=true`);
      await described('GET', `${pathname}/log`, `?task_id=${id}`);
      await described('DELETE', pathname, `?task_id=${id === good ? running : id}`);
      await described('POST', `${pathname}/rerun`, `?task_id=${id}`);
      await described('POST', `${pathname}/cancel`, `?task_id=${id}`);
    }
    await described('GET', pathname);
    await described('GET', `${pathname}/log`, `?task_id=${good}&from=-1`);
    await described('POST', pathname, '', json('{'));
    await described('POST', pathname, '', { body: 'x', headers: { 'content-type': 'text/plain' } });
    await described('POST', pathname, '', json(`{"data":{"x":"${'x'.repeat(1024 * 1024)}"}}`));
    await described('POST', `${pathname}/batch`, '', { body: '{}\n{}\n', headers: NDJSON });
    await described('POST', `${pathname}/batch`, '', { body: '{}\n'.repeat(50), headers: NDJSON });
    await described('GET', `${pathname}/tasks`);
    await described('GET', `${pathname}/tasks`, '?status=X');
    await described('GET', `${pathname}/history`);
    await described('GET', '/healthz');
    await described('GET', `${pathname}/tasks`, '', { headers: { origin: 'http://evil.example' } });
    for (const status of [200, 400, 403, 404, 409, 413, 415, 429])
      expect(
        [...seen].some((one) => one.endsWith(` ${status}`)),
        String(status),
      ).toBe(true);
  });

  test('lists the parameters that the service checks, and all of its routes', async () => {
    const { url } = await serve(freshFolder(), ['--port', '0', '--exec', 'cat', '--log-dir', 'logs']);
    const { origin } = new URL(url);
    const { body: document } = await ask(`${url}/openapi.json`);
    const { body } = await submit(url, {});
    for (const { path, method, operation } of operationsOf(document)) {
      if (operation.operationId === 'streamEvents') continue;
      const answer = await ask(origin + path, { method: method.toUpperCase() });
      expect([404, 405].includes(answer.code), `${method} ${path}: ${answer.text}`).toBe(false);
      for (const { name, schema } of operation.parameters ?? []) {
        const wrong = schema.type === 'string' ? 'x'.repeat(schema.maxLength + 1) : '-5'; // -5 is not a state
        const query = name === 'task_id' ? '' : `task_id=${body.data.task_id}&`;
        const refused = await ask(`${origin}${path}?${query}${name}=${wrong}`, {
          method: method.toUpperCase(),
        });
        expect(refused.code, `${method} ${path} ${name}=${wrong}`).toBe(400);
      }
    }
    expect((await ask(`${url}/cancel`, POST)).code).toBe(400);
  });
});
