/* The executors that run programs, used as a library. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { root } from '../support/run.ts';

const script = `
  const { command, exec, Task, worker } = await import('taskpipe');
  async function* tasks() {
    yield [1, 2].map((n) => new Task('t' + n, JSON.stringify({ uuid: 't' + n, n })));
  }
  const results = async (executor) => {
    const all = [];
    for await (const batch of exec(executor, { keepOrder: true })(tasks())) all.push(...batch);
    return all.map(({ fields }) => fields.result);
  };
  const environment = process.env;
  console.log(JSON.stringify([
    await results(await command('printf %s {n}', { environment })),
    await results(await worker('while read -r line; do echo "$line" | sed "s/.n.:/\\\\"result\\\\":1/"; done', {
      environment, shell: true, jobs: 1,
    })),
    await command('no-such-program').catch((error) => error.code),
  ]));
`;

test('command() and worker() run tasks in the library, and the process exits when they are done', () => {
  const printed = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: root });
  expect(JSON.parse(printed.toString())).toEqual([
    ['1', '2'].map((stdout) => ({ exit: 0, stdout, stderr: '' })),
    [11, 12],
    'USAGE',
  ]);
});
