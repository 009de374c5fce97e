/* Records on their way through a pipeline, and options of whole pipelines. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { serve } from '../support/http-server.ts';
import { freshFolder, has, sh } from '../support/run.ts';
import {
  counter,
  finishedOf,
  linesOf,
  parsed,
  runPipeline,
  startPipeline,
  uuidsOf,
  writeRows,
} from './pipeline.ts';

const hasJq = await has('jq');
const hasMake = await has('make');

describe('records between stages', () => {
  test.skipIf(!hasJq)('can be selected by jq, also by a column named state', async () => {
    const { url, seen } = await serve((response) => response.end('ok'));
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'a.csv'), `state,url\nCA,${url}/1\nNY,${url}/2\nCA,${url}/3\n`);
    const choose = `jq -c --unbuffered 'select(.state == "CA")'`;
    const { codes } = await runPipeline(
      `task-load a.csv | ${choose} | task-exec --http | ${choose} | task-save out.csv --fields state,result.text`,
      { cwd },
    );
    expect(codes).toBe('0 0 0 0 0');
    expect(readFileSync(join(cwd, 'out.csv'), 'utf8')).toBe('state,result.text\nCA,ok\nCA,ok\n');
    expect(seen.map((one) => one.url).sort()).toEqual(['/1', '/3']);
  });

  test('keep the digits of their numbers through two executors, in NDJSON and in CSV cells', async () => {
    const { url } = await serve((response) => response.end('ok'));
    const cwd = freshFolder();
    const record = `{"uuid":"a","n":12345678901234567890,"p":1.10,"e":1e999,"url":"${url}"`;
    writeFileSync(join(cwd, 'a.ndjson'), `${record}}\n`);
    const work = 'task-load a.ndjson | task-exec --http --as one | task-exec --http --as two';
    await runPipeline(`${work} | task-save out.ndjson`, { cwd });
    const [line = ''] = linesOf(cwd, 'out.ndjson');
    expect(line.startsWith(`${record},"one":{`)).toBe(true);
    expect(parsed(line)[0]).toMatchObject({ one: { text: 'ok' }, two: { text: 'ok' }, run: { as: 'two' } });
    await runPipeline(`${work} | task-save out.csv --fields n,p,e,two.text`, { cwd });
    expect(linesOf(cwd, 'out.csv')).toEqual(['n,p,e,two.text', '12345678901234567890,1.10,1e999,ok']);
  });

  test('leave the pipeline one by one as they arrive', async () => {
    const { url } = await serve((response) => response.end('ok'));
    const { child, said, end, codes } = startPipeline(
      'task-load --field url | task-exec --http | task-save - --fields url',
    );
    for (let n = 1; n <= 3; n++) {
      const came = said('stdout', new RegExp(`"${url}/${n}"`));
      child.stdin?.write(`${url}/${n}\n`);
      await came;
    }
    child.stdin?.end();
    await end;
    expect(await codes).toBe('0 0 0');
  });

  test('pass the next executor unchanged if they have failed', async () => {
    const { url } = await serve((response, { url }) => {
      response.statusCode = url === '/bad' ? 404 : 200;
      response.end('ok');
    });
    const good = await serve((response) => response.end('ok'));
    const { stdout, codes } = await runPipeline(
      `printf '%s\\n' ${url}/bad ${url}/good | task-load --field url | task-exec --http --as one |
        task-exec --http --as two --url ${good.url}`,
    );
    const [bad, fine] = parsed(stdout).sort((a, b) => a.run.state.localeCompare(b.run.state));
    expect(bad).toMatchObject({ one: { status: 404 }, run: { as: 'one', state: 'FAILURE' } });
    expect(bad).not.toHaveProperty('two');
    expect(fine).toMatchObject({ one: { status: 200 }, two: { status: 200 }, run: { as: 'two' } });
    expect(good.seen).toHaveLength(1);
    expect(codes).toBe('0 0 1 1');
  });
});

test.skipIf(!hasMake)('two shards made by make -j2 share a ledger and do not run again', async () => {
  const { url, seen } = await serve((response) => response.end('ok'));
  const cwd = freshFolder();
  writeRows(cwd, 'a.csv', 500, (n) => `${url}/${n}`);
  const recipe = 'task-load a.csv --shard $*/2 | task-exec --http | task-save $@ --fields uuid,n';
  writeFileSync(join(cwd, 'Makefile'), `all: out.1.csv out.2.csv\nout.%.csv: force\n\t${recipe}\nforce:\n`);
  for (let round = 0; round < 2; round++) {
    expect((await sh('make -j2 all', { cwd, env: { TASK_LEDGER: 'done.jsonl' } })).code).toBe(0);
    const uuids = [...uuidsOf(cwd, 'out.1.csv'), ...uuidsOf(cwd, 'out.2.csv')];
    expect(uuids).toHaveLength(500);
    expect(new Set(uuids).size).toBe(500);
    expect(finishedOf(cwd, 'done.jsonl').sort()).toEqual(uuids.sort());
    expect(seen).toHaveLength(500);
  }
});

describe('options of a whole pipeline', () => {
  test('come from the environment and from --config, and all stages may share them', async () => {
    const { url, seen } = await serve((response) => response.end('ok'));
    const cwd = freshFolder();
    writeRows(cwd, 'a.csv', 3, (n) => `${url}/${n}`);
    const config = {
      'uuid-fields': ['url'],
      userAgent: 'config',
      fields: ['n', 'uuid'],
      ledger: 'config.jsonl',
    };
    writeFileSync(join(cwd, 'c.json'), JSON.stringify(config));
    const { codes, stderr } = await runPipeline('task-load a.csv | task-exec --http | task-save out.csv', {
      cwd,
      env: { TASK_CONFIG: 'c.json', TASK_LEDGER: 'environment.jsonl', TASK_QUIET: '1' },
    });
    expect({ codes, stderr }).toEqual({ codes: '0 0 0', stderr: '' });
    expect(seen.map(({ headers }) => headers['user-agent'])).toEqual(Array(3).fill('config'));
    expect(linesOf(cwd, 'out.csv')[0]).toBe('n,uuid');
    expect(finishedOf(cwd, 'environment.jsonl')).toHaveLength(3);
  });

  test.each([
    ['a flag', '--user-agent flag', { TASK_USER_AGENT: 'environment' }, 'flag'],
    ['the environment', '', { TASK_USER_AGENT: 'environment' }, 'environment'],
    ['the config', '', {}, 'config'],
  ])('take the value of %s over that of lower sources', async (_, flag, env, agent) => {
    const { url, seen } = await serve((response) => response.end('ok'));
    const cwd = freshFolder();
    writeFileSync(join(cwd, 'c.json'), '{"user-agent": "config"}');
    await runPipeline(`echo ${url} | task-load --field url | task-exec --http --config c.json ${flag}`, {
      cwd,
      env: env as Record<string, string>,
    });
    expect(seen.map(({ headers }) => headers['user-agent'])).toEqual([agent]);
  });

  test('--dry-run prints the requests and sends none', async () => {
    const { url, seen } = await serve((response) => response.end('ok'));
    const cwd = freshFolder();
    writeRows(cwd, 'a.csv', 2, (n) => `${url}/${n}`);
    const { stderr } = await runPipeline(
      'task-load a.csv | task-exec --http --dry-run | task-save out.csv --ledger done.jsonl',
      { cwd },
    );
    expect(stderr.match(/^GET .*$/gm)).toEqual([`GET ${url}/1`, `GET ${url}/2`]); // lines of other stages may come between
    expect(seen).toEqual([]);
    // No stage treats them as finished.
    expect(finishedOf(cwd, 'done.jsonl')).toEqual([]);
    const rest = parsed(readFileSync(join(cwd, 'out.csv.rest.ndjson'), 'utf8'));
    expect(rest.map(({ n, run }) => [n, run.state])).toEqual([
      ['1', 'PENDING'],
      ['2', 'PENDING'],
    ]);
  });

  test('--keep-order emits tasks in input order although the first is answered last', async () => {
    const held: (() => void)[] = [];
    const { url } = await serve((response) => {
      held.push(() => response.end('ok'));
      if (held.length === 4) for (const answer of held.reverse()) answer();
    });
    const cwd = freshFolder();
    writeRows(cwd, 'a.csv', 4, (n) => `${url}/${n}`);
    const { stdout } = await runPipeline('task-load a.csv | task-exec --http -j 4 --keep-order', { cwd });
    expect(parsed(stdout).map(({ n }) => n)).toEqual(['1', '2', '3', '4']);
  });

  test('--unfinished receives the tasks that a signal left undone, instead of the output', async () => {
    const asked = counter();
    const { url } = await serve(() => asked.add());
    const cwd = freshFolder();
    writeRows(cwd, 'a.csv', 5, (n) => `${url}/${n}`);
    const command = 'task-load a.csv | task-exec --http -j 2 --grace 0 --unfinished left.ndjson';
    const { signal, codes, end } = startPipeline(command, { cwd });
    await asked.reached(2);
    signal('SIGINT');
    expect(await codes).toMatch(/^(0|130) 130$/); // task-load may have ended already
    expect(parsed((await end).stdout)).toEqual([]);
    expect(
      parsed(linesOf(cwd, 'left.ndjson').join('\n'))
        .map(({ n, run }) => `${n} ${run.state}`)
        .sort(),
    ).toEqual(['1', '2', '3', '4', '5'].map((n) => `${n} PENDING`));
  });

  test('--max-failures 5 starts no task after the fifth failure', async () => {
    const { url, seen } = await serve((response) => {
      response.statusCode = 404;
      response.end();
    });
    const cwd = freshFolder();
    writeRows(cwd, 'a.csv', 50, (n) => `${url}/${n}`);
    const { stdout, stderr, codes } = await runPipeline(
      'task-load a.csv | task-exec --http -j 1 --max-failures 5',
      { cwd },
    );
    expect(codes).toBe('0 1');
    expect(stderr).toContain('stopped by --max-failures');
    expect(seen).toHaveLength(5);
    const states = parsed(stdout).map(({ run }) => run.state);
    expect(states.filter((state) => state === 'FAILURE')).toHaveLength(5);
    expect(states.filter((state) => state === 'PENDING')).toHaveLength(45);
  });
});
