import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parsed } from '../../pipes/pipeline.ts';
import { freshFolder, sh } from '../../support/run.ts';

const records = (count: number): string =>
  Array.from({ length: count }, (_, i) => `{"uuid":"u${i}","n":${i},"of":"g${i % 2}"}\n`).join('');

/** Runs task-exec over records with `n` from 0. Returns the rows by their `n`. */
async function run(options: string, count = 10, files: Readonly<Record<string, string>> = {}) {
  const cwd = freshFolder();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text);
  const ended = await sh(`task-exec --backoff 1ms..2ms ${options}`, { cwd, input: records(count) });
  const rows = parsed(ended.stdout).sort((a, b) => Number(a.n) - Number(b.n));
  const errors = rows.map(({ run }) => Object(run).error?.message);
  return { ...ended, rows, results: rows.map(({ result }) => result), errors };
}

/** Worker that answers batches by a function of the tasks, in JavaScript. */
const worker = (answer: string): Record<string, string> => ({
  'w.mjs': `import { createInterface } from 'node:readline';
for await (const line of createInterface({ input: process.stdin })) {
  const { batch } = JSON.parse(line);
  const answer = ${answer};
  console.log(JSON.stringify(answer(batch)));
}`,
});

describe('--worker --batch', () => {
  const numbers = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

  test.each([
    ['in the order of the tasks', '(b) => ({ batch: b.map(({ n }) => ({ result: n })) })'],
    ['by uuid, in any order', '(b) => ({ batch: b.reverse().map(({ uuid, n }) => ({ uuid, result: n })) })'],
  ])('takes answers %s', async (_, answer) => {
    const { results, stderr } = await run("--worker 'node w.mjs' -j 2 --batch 3", 10, worker(answer));
    expect(results).toEqual(numbers);
    expect(stderr).toBe('task-exec: 10 done\n');
  });

  test.each(['', '--batch-lines'])(
    'treats the records of cat as successes without results %s',
    async (lines) => {
      const { rows, results } = await run(`--worker cat --batch 4 ${lines}`);
      expect(rows.every(({ run }) => Object(run).state === 'SUCCESS')).toBe(true);
      expect(results.every((one) => one === undefined)).toBe(true);
    },
  );

  test('takes answers by line with --batch-lines, up to an empty line', async () => {
    const code = `while read -r line; do case $line in '') echo;; *) n=\${line#*\\"n\\":}; echo "{\\"result\\":\${n%%,*}}";; esac; done`;
    const { results } = await run("--worker 'sh w.sh' --batch 4 --batch-lines", 10, { 'w.sh': code });
    expect(results).toEqual(numbers);
  });

  test('fails single tasks that have an error, or no answer', async () => {
    const answer = `(b) => ({ batch: b.slice(1).map(({ uuid, n }) => n === 3 ? { uuid, error: 'three' } : { uuid, result: n }) })`;
    const { errors, results } = await run("--worker 'node w.mjs' -j 1 --batch 5", 5, worker(answer));
    expect(results).toEqual([undefined, 1, 2, undefined, 4]);
    expect(errors[0]).toContain('answered a batch without this task');
    expect(errors[3]).toBe('three');
  });

  test('halves a batch that ends its worker, or that has an error for all', async () => {
    const dies = '(b) => b.some(({ n }) => n === 6) ? process.exit(3) : { batch: b }';
    const dead = await run("--worker 'node w.mjs' -j 1 --batch 8 --retries 0", 8, worker(dies));
    expect(dead.stderr).toContain('7 done, 1 failed (WORKER_DIED 1)');
    expect(dead.errors[6]).toContain('ended with exit code 3 while it had this task');
    const says = `(b) => b.some(({ n }) => n === 2) ? { error: { code: 'BAD', message: 'no ' + b.length } } : { batch: b }`;
    const told = await run("--worker 'node w.mjs' -j 2 --batch 8", 8, worker(says));
    expect(told.errors.filter((one) => one !== undefined)).toEqual(['no 1']);
  });
});

describe('--command --batch', () => {
  test('gives each task its line of the output, and the words of all tasks to the command', async () => {
    const { results } = await run(`--command 'printf "%s\\n" -n{n...}' --batch 4`);
    expect(results.map((one) => Object(one).stdout)).toEqual(
      [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => `-n${n}`),
    );
  });

  test('gives the records as lines of stdin, and reads JSON by line', async () => {
    const { results } = await run(
      `--shell --command 'sed "s/u/U/g"; echo $TASK_BATCH_SIZE >&2' --output json --batch 5`,
    );
    expect(results[7]).toEqual({ exit: 0, json: { UUid: 'U7', n: 7, of: 'g1' }, stderr: '' });
    expect(results[5]).toMatchObject({ stderr: '5\n' });
  });

  test('is a success without output, for commands that have no result', async () => {
    const { results, stderr } = await run(`--command 'touch {n...}' --batch 100`);
    expect(results[3]).toEqual({ exit: 0, stdout: '', stderr: '' });
    expect(stderr).toBe('task-exec: 10 done\n');
  });

  test('fails with the numbers of lines and tasks if they differ, and does not run it again', async () => {
    const { errors, stderr } = await run(`--shell --command 'cat; echo run >&2; echo more' --batch 5`);
    expect(errors[0]).toContain(
      'sh wrote 6 lines; the output of a batch must have a line for each of its 5 tasks',
    );
    expect(stderr).toContain('10 failed (BATCH 10)');
    expect(stderr).not.toContain('tried again');
  });

  test('refuses JSON lines that show other tasks, and does not run it again', async () => {
    const { errors, stderr } = await run("--command 'sort -r' --output json --batch 5");
    expect(errors[0]).toContain(
      'line 1 of sort has the uuid of task 5; the output of a batch must have a line',
    );
    expect(stderr).toContain('10 failed (BATCH 10)');
    const kept = await run("--command 'sort' --output json --batch 5");
    expect(Object(kept.results[7]).json).toEqual({ uuid: 'u7', n: 7, of: 'g1' });
  });

  test('halves a batch whose command fails', async () => {
    const script = `grep -q '"n":6,' && { echo bad >&2; exit 1; }; exit 0`;
    const { errors, stderr } = await run(`--command 'sh s.sh' --batch 10`, 10, { 's.sh': script });
    expect(stderr).toContain('9 done, 1 failed (EXIT 1)');
    expect(errors[6]).toContain('ended with exit code 1: bad');
  });

  // GNU parallel and xargs never start a command with too many words, or fail for all of them.
  test('halves a batch whose words are too long for the system', async () => {
    const cwd = freshFolder();
    const input = Array.from(
      { length: 40 },
      (_, i) => `{"uuid":"u${i}","w":"${'x'.repeat(100_000)}"}\n`,
    ).join('');
    const { stderr } = await sh(`task-exec --command 'true {w...}' --batch 40 --batch-bytes 10MB`, {
      cwd,
      input,
    });
    expect(stderr).toBe('task-exec: 40 done\n');
  });

  test('puts tasks together by the attribute of --batch-by, which may be in a word', async () => {
    const { results } = await run(`--command 'printf "{of}-%s\\n" {n...}' --batch 10 --batch-by of`, 6);
    expect(results.map((one) => Object(one).stdout)).toEqual([
      'g0-0',
      'g1-1',
      'g0-2',
      'g1-3',
      'g0-4',
      'g1-5',
    ]);
  });

  test('says at the end that no record had the attribute of --batch-by', async () => {
    const { stderr } = await run("--command 'true' --batch 10 --batch-by off");
    expect(stderr).toBe(
      'task-exec: 10 done\ntask-exec: no record had "off" (--batch-by); did you mean of?\n',
    );
    expect((await run("--command 'true' --batch 10 --batch-by of")).stderr).toBe('task-exec: 10 done\n');
    expect((await run("--command 'true' --batch 10 --batch-by off", 0)).stderr).not.toContain('off');
  });

  test.each([
    ["--command 'echo {n}' --batch 2", 'write {n...} for all of them'],
    ["--command 'echo {n...}'", '{n...} is the values of a batch and needs --batch'],
    ["--shell --command 'echo $TASK_n' --batch 2", 'read the records from stdin'],
    ["--command 'echo' --batch 2 --results out/{uuid}", 'cannot be combined'],
    ["--command 'echo' --batch 2 --live", 'cannot be combined'],
    ["--command 'echo' --batch-wait 2s", 'has no effect without --batch'],
    ['--flow x.js --batch 2', '--batch'],
  ])('refuses %s', async (options, message) => {
    const { stderr, code } = await run(options);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });
});
