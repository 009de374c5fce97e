/* server.json of chihuo and achihuo: the supported forms, and the errors of all others. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { needsRedis, startRedis } from '../support/redis.ts';
import { freshFolder, sh } from '../support/run.ts';

beforeEach(needsRedis);

/** Returns a folder with a server file. */
function folderWith(config: object | string, file = 'server.json'): string {
  const cwd = freshFolder();
  writeFileSync(join(cwd, file), typeof config === 'string' ? config : JSON.stringify(config));
  return cwd;
}

async function told(config: object | string, more = ''): Promise<string> {
  const { code, stderr } = await sh(`task-queue size --name q --config server.json ${more}`, {
    cwd: folderWith(config),
  });
  expect(code).toBe(2);
  return stderr;
}

describe('--config server.json', () => {
  test('with db and password is read as it is, and the password is not shown', async () => {
    const redis = await startRedis('--requirepass', 'sésame/?');
    const config = { backend: 'redis', ip: '127.0.0.1', port: redis.port, db: 3, password: 'sésame/?' };
    const cwd = folderWith(config);
    const push = await sh('task-queue push --config server.json --name q', { cwd, input: '{"uuid":"a"}\n' });
    expect(push).toMatchObject({ code: 0, stderr: 'task-queue: 1 added\n' });
    const keys = `REDISCLI_AUTH='sésame/?' redis-cli -p ${redis.port} -n 3 exists bull:q:=a`;
    expect((await sh(keys)).stdout).toBe('1\n');
    const clear = await sh('task-queue clear --config server.json --name q --yes', { cwd });
    expect(clear.stderr).toContain(`redis://127.0.0.1:${redis.port}/3#q`);
    expect(clear.stderr).not.toMatch(/sésame|s%C3/);
    const wrong = await sh('task-queue size --config server.json --name q', {
      cwd,
      env: { TASK_REDIS_PASSWORD: 'wrong' },
    });
    expect([wrong.code, wrong.stderr]).toEqual([74, expect.stringMatching(/wrong user or password/)]);
  });

  test('without ip says what is missing', async () => {
    const missing =
      /^task-queue: backend=redis needs the host of the server: add "ip" to the --config file, as in \{"backend": "redis", "ip": "127\.0\.0\.1"/;
    expect(await told({ backend: 'redis' })).toMatch(missing);
    expect(await told('backend=redis\nport=6379\n')).toMatch(missing);
  });

  test('with lodis says why not, and what to do', async () => {
    expect(await told({ backend: 'lodis', ip: '127.0.0.1', port: 8311 })).toMatch(
      /^task-queue: "backend" in server\.json must be redis: lodis does not run the scripts .*; start Redis 6\.2 or Valkey, and give backend=redis with its ip and port; got "lodis"\n$/,
    );
  });

  test('with memory names the pipe that needs no queue', async () => {
    expect(await told({ backend: 'memory' })).toMatch(
      /must be redis: a queue in the memory of one process is a pipe, which needs no task-queue: task-load a\.csv \| task-exec --module work\.mjs \| task-save out\.csv, .*; got "memory"\n$/,
    );
  });

  test('with another backend, or a wrong port or db, says what is expected', async () => {
    expect(await told({ backend: 'rabbit' })).toMatch(
      /"backend" in server\.json must be redis; got "rabbit"/,
    );
    expect(await told({ backend: 'redis', ip: 'h', port: 'x' })).toMatch(/"port" .* must be a port/);
    expect(await told({ backend: 'redis', ip: 'h', db: -1 })).toMatch(
      /"db" .* must be a whole number of at least 0/,
    );
  });
});

describe('./server.json', () => {
  test('is read and named if no queue is given', async () => {
    const redis = await startRedis();
    const cwd = folderWith({ backend: 'redis', ip: '127.0.0.1', port: redis.port });
    const size = await sh('task-queue size --name q', { cwd });
    expect([size.code, JSON.parse(size.stdout).waiting, size.stderr]).toEqual([
      0,
      0,
      'task-queue: options from ./server.json, as --config ./server.json would read them\n',
    ]);
    expect((await sh('task-queue size --name q --quiet', { cwd })).stderr).toBe('');
  });

  test('is not read if a url, TASK_QUEUE, --ip or another --config is given', async () => {
    const redis = await startRedis();
    const cwd = folderWith({ backend: 'lodis' });
    writeFileSync(join(cwd, 'other.json'), JSON.stringify({ ip: '127.0.0.1', port: redis.port }));
    const env = { TASK_QUEUE: redis.url };
    for (const [words, more] of [
      [`${redis.url}`, {}],
      ['', env],
      [`--ip 127.0.0.1 --port ${redis.port}`, {}],
      ['--config other.json', {}],
    ] as const)
      expect((await sh(`task-queue size ${words} --name q`, { cwd, env: more })).stderr).toBe('');
  });

  test('of another program is ignored', async () => {
    const cwd = folderWith({ name: 'io.github.someone/server', port: 80 });
    const { code, stderr } = await sh('task-queue size --name q', { cwd });
    expect([code, stderr]).toEqual([2, expect.stringMatching(/^task-queue: give the url after the verb/)]);
  });
});
