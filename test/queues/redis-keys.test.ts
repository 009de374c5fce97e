/* Users with few permissions, keys of other programs, and servers of another kind. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { ask, needsRedis, startRedis } from '../support/redis.ts';
import { freshFolder, root, sh } from '../support/run.ts';

beforeEach(needsRedis);

const input = '{"uuid":"a"}\n{"uuid":"b"}\n{"uuid":"c"}\n';

describe('a user of an ACL', () => {
  /** The rules in the manual. */
  const rules = (): string => {
    const page = readFileSync(join(root, 'docs/task-queue.md'), 'utf8');
    return /^ACL SETUSER worker (.*)$/m.exec(page)?.[1] ?? '';
  };

  /** Starts a server whose default user is off. Returns the options for a queue. */
  async function guarded(allowed: string) {
    const redis = await startRedis();
    await ask(redis.port, `acl setuser worker ${allowed.replaceAll(/[>~&]\S*/g, "'$&'")}`);
    await ask(redis.port, 'acl setuser default off');
    const url = redis.url.replace('//', '//worker@');
    return { url, at: `${url} --name crawl`, env: { TASK_REDIS_PASSWORD: 'PASSWORD' } };
  }

  test('with the rules of the manual can use every function of a queue', async () => {
    const { url, at, env } = await guarded(rules());
    const cwd = freshFolder();
    const run = async (command: string): Promise<string> => {
      const { stdout, stderr } = await sh(command, { env, cwd, input });
      return `${stdout}${stderr}`.trim();
    };
    expect(await run(`task-queue push ${at}`)).toBe('task-queue: 3 added');
    expect(await run(`task-queue push ${at} --id-seen again --priority 2 --delay 1s`)).toMatch(/3 seen/);
    expect(
      await run(`task-queue front ${at.replace(' ', ' c ')}; task-queue remove ${at.replace(' ', ' c ')}`),
    ).toMatch(/1 task moved to the front\n.*1 task removed/);
    const pull = `task-queue pull ${at} --until-empty --quiet`;
    expect(await run(`${pull} --window 1 | head -1 | task-queue ack ${at}`)).toMatch(/1 done/);
    const failing = `${pull} | task-exec --command false --retries 0 --quiet | task-queue ack ${at} --quiet`;
    await run(failing);
    expect(await run(`task-queue dead ${at} | jq -r .uuid`)).toBe('b');
    expect(await run(`task-queue retry ${at}`)).toMatch(/1 dead task let in again/);
    expect(await run(`task-queue pause ${at}; task-queue resume ${at}; task-queue stop ${at}`)).toBe(
      'task-queue: there is no worker to stop',
    );
    expect(await run(`task-queue size ${at} | jq -c '[.waiting, .finished, .dead]'`)).toBe('[1,1,0]');
    expect(await run(`task-queue clear ${at} --yes`)).toMatch(/crawl is empty now/);
    const ledger = `${url}#crawl`;
    expect(await run(`task-done mark '${ledger}' x y; task-done count '${ledger}'`)).toBe('3');
    const rate = `task-exec --command true --host-rate 100/s --shared --queue ${url} --quiet`;
    expect(await run(`${rate} | wc -l`)).toBe('3');
    expect(await run(`task-done clear '${ledger}' --yes`)).not.toMatch(/may not/);
  }, 120_000);

  test('without a permission gets an error that names the command or key, and the place of the rules', async () => {
    const size = async (allowed: string, verb = 'size'): Promise<string> => {
      const { at, env } = await guarded(allowed);
      const { code, stderr } = await sh(`task-queue ${verb} ${at}`, { env, input });
      expect(code).toBe(74);
      return stderr.replace(/^.*task-queue: redis:\S+ /s, '');
    };
    const page = 'docs/task-queue.md has all rules, under "Users and permissions"\n';
    expect(await size(rules().replace('+info', ''))).toBe(
      `the user "worker" may not run INFO: ACL SETUSER worker +info; ${page}`,
    );
    expect(await size(`${rules()} -xadd`, 'push')).toBe(
      `the user "worker" may not run XADD: ACL SETUSER worker +xadd; ${page}`,
    );
    expect(await size(`${rules()} -lpush -rpush`, 'push')).toBe(
      `the user "worker" may not run RPUSH or LPUSH: ACL SETUSER worker +rpush +lpush; ${page}`,
    );
    expect(await size(`${rules()} -smismember`, 'push')).toBe(
      `the user "worker" may not run SMISMEMBER: ACL SETUSER worker +smismember; ${page}`,
    );
    expect(await size(`${rules()} -evalsha -eval`, 'push')).toMatch(
      /^the user "worker" may not run EVAL(?:SHA)?: ACL SETUSER worker \+eval/,
    );
    expect(await size(rules().replace('~bull:crawl:*', ''))).toBe(
      `the user "worker" may not use the key bull:crawl:wait: ACL SETUSER worker ~bull:crawl:* ~taskpipe:crawl:*; ${page}`,
    );
  }, 60_000);
});

test('a push that lacked a permission half-way adds all tasks once it has the permission', async () => {
  const redis = await startRedis();
  const at = `${redis.url.replace('//', '//worker@')} --name q`;
  const env = { TASK_REDIS_PASSWORD: 'pw' };
  await ask(redis.port, "acl setuser worker on '>pw' '~*' '&*' +@all -xadd");
  expect((await sh(`task-queue push ${at}`, { env, input })).code).toBe(74);
  await ask(redis.port, 'acl setuser worker +xadd');
  expect((await sh(`task-queue push ${at}`, { env, input })).stderr).toBe('task-queue: 3 added\n');
  expect((await sh(`task-queue size ${at} | jq .waiting`, { env })).stdout).toBe('3\n');
});

describe('a key of another program at one of our names', () => {
  test('is named with 65 before anything is changed', async () => {
    const redis = await startRedis();
    await ask(redis.port, 'set bull:q:wait theirs');
    const verbs = ['push', 'size', 'pull --until-empty', 'clear --yes'];
    for (const verb of verbs) {
      const [name, ...more] = verb.split(' ');
      const { code, stderr } = await sh(`task-queue ${name} ${redis.url} --name q ${more.join(' ')}`, {
        input,
      });
      expect([code, stderr]).toEqual([
        65,
        `task-queue: ${redis.url}: the key bull:q:wait is a string, and here a list is needed: another program uses this name. Nothing was changed. Use another --name (or #NAME of a ledger), or another database, or move the key: redis-cli RENAME bull:q:wait bull:q:wait.old\n`,
      ]);
    }
    expect(await ask(redis.port, "keys '*'")).toBe('bull:q:wait');
  });

  test('is not deleted by a ledger', async () => {
    const redis = await startRedis();
    await ask(redis.port, 'set taskpipe:q:finished theirs');
    for (const verb of ['clear --yes', 'mark a', 'count']) {
      const [name, ...more] = verb.split(' ');
      const { code, stderr } = await sh(`task-done ${name} '${redis.url}#q' ${more.join(' ')}`);
      expect([code, stderr]).toEqual([
        65,
        expect.stringMatching(/taskpipe:q:finished is a string, and here a set/),
      ]);
    }
    expect(await ask(redis.port, 'get taskpipe:q:finished')).toBe('theirs');
  });
});

test('a Redis Cluster is refused, with what to use instead', async () => {
  const redis = await startRedis('--cluster-enabled', 'yes');
  const { code, stderr } = await sh(`task-queue push ${redis.url} --name q`, { input });
  expect([code, stderr]).toEqual([
    2,
    expect.stringMatching(/is a node of a Redis Cluster, .*; use one server .* Sentinel: redis\+sentinel:/),
  ]);
  const ledger = await sh(`task-done mark '${redis.url}#l' a`);
  expect([ledger.code, ledger.stderr]).toEqual([2, expect.stringMatching(/is a node of a Redis Cluster/)]);
});
